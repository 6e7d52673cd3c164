//! Backends for stored endpoints: the same for workers and for testing an endpoint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hornbook_db::endpoints::{self, Endpoint};
use hornbook_db::{Db, DbError};
use hornbook_inference::http::{Client, GuardPolicy};
use hornbook_inference::{
    Ambient, BatchBackend, LimiterFigures, OpenAiBackend, OpenAiConfig, Secret, SharedBackend,
};
use hornbook_types::{EndpointKind, Slug};
use uuid::Uuid;

use super::batches::Journal;
use crate::exit::{Context as _, Failure};

/// Times that the database is asked for an endpoint before it counts as unusable.
const DATABASE_TRIES: u32 = 120;
/// Pause between two of them.
const DATABASE_RETRY: Duration = Duration::from_millis(250);

/// Makes backends; cheap to clone.
#[derive(Clone)]
pub(crate) struct Backends {
    db: Db,
    client: Client,
    ambient: Ambient,
    local: Option<SharedBackend>,
    /// By endpoint id, so that whoever holds this goes on with what was found out of an endpoint.
    made: Arc<Mutex<BTreeMap<Uuid, Made>>>,
}

/// A backend, and the revision of its endpoint that it was made from.
struct Made {
    name: Slug,
    revision: u64,
    backend: SharedBackend,
}

impl Backends {
    /// Backends that reach what `policy` allows.
    pub(crate) fn new(
        db: Db,
        policy: GuardPolicy,
        ambient: Ambient,
        local: Option<SharedBackend>,
    ) -> Result<Self, Failure> {
        let client = Client::new(policy).context("setting up the http client")?;
        Ok(Self { db, client, ambient, local, made: Arc::default() })
    }

    /// The same with limiters of its own: each worker has a share of an endpoint's limits, and
    /// nobody who tries an endpoint out waits for one.
    pub(crate) fn apart(&self) -> Self {
        Self { made: Arc::default(), ..self.clone() }
    }

    /// The guarded client; all that leaves the process goes through it.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The engine in this process.
    pub(crate) fn local(&self) -> Option<SharedBackend> {
        self.local.clone()
    }

    /// The backend of the endpoint of that name as it is configured now.
    ///
    /// # Errors
    /// In words for people; never holds the endpoint's key.
    pub(crate) async fn make(&self, name: &Slug) -> Result<SharedBackend, String> {
        self.made(name, true).await
    }

    /// The same for somebody who waits for one answer: where a batch would take a day, the same
    /// model is asked at once, at the full price.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub(crate) async fn make_to_try(&self, name: &Slug) -> Result<SharedBackend, String> {
        self.made(name, false).await
    }

    async fn made(&self, name: &Slug, has_time: bool) -> Result<SharedBackend, String> {
        let endpoint = answered(|| endpoints::get(&self.db, name)).await;
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                self.drop_gone().await;
                return Err(error);
            }
        };
        if endpoint.spec.kind == EndpointKind::Local {
            return self.local.clone().ok_or_else(|| {
                endpoint.message.unwrap_or_else(|| "not in this process".to_owned())
            });
        }
        let is_batch = |endpoint: &Endpoint| endpoint.spec.kind == EndpointKind::OpenaiBatch;
        // What is made for a trial of a batch endpoint is not what jobs go on with.
        let is_kept = |endpoint: &Endpoint| has_time || !is_batch(endpoint);
        if let Some(made) = self.lock().get(&endpoint.id)
            && is_kept(&endpoint)
            && made.revision == endpoint.revision
        {
            return Ok(Arc::clone(&made.backend));
        }
        // Read again, with the key that belongs to it: it may have been edited meanwhile.
        let (endpoint, secret) = answered(|| endpoints::open(&self.db, name)).await?;
        let (is_batch, is_kept) = (is_batch(&endpoint), is_kept(&endpoint));
        let config = OpenAiConfig::from_spec(&endpoint.spec, secret.map(Secret::new));
        let (client, ambient) = (self.client.clone(), self.ambient.clone());
        let made: Result<SharedBackend, _> = if is_batch && has_time {
            let journal = Arc::new(Journal::new(self.db.clone(), endpoint.id));
            BatchBackend::new(config, client, ambient, journal).map(|made| Arc::new(made) as _)
        } else {
            OpenAiBackend::new(config, client, ambient).map(|made| Arc::new(made) as _)
        };
        let backend = made.map_err(|error| error.to_string())?;
        self.drop_gone().await;
        if is_kept {
            let (name, revision) = (name.clone(), endpoint.revision);
            self.lock().insert(endpoint.id, Made { name, revision, backend: Arc::clone(&backend) });
        }
        Ok(backend)
    }

    /// Lets go of what was made for endpoints that are deleted; those that were edited are replaced.
    async fn drop_gone(&self) {
        let ids: Vec<Uuid> = self.lock().keys().copied().collect();
        match endpoints::gone(&self.db, &ids).await {
            Ok(gone) => {
                let mut made = self.lock();
                for id in gone {
                    made.remove(&id);
                }
            }
            Err(error) => tracing::debug!(%error, "cannot look for deleted endpoints"),
        }
    }

    /// How the endpoints stand that were asked so far; of two that had one name, the later.
    pub(crate) fn figures(&self) -> BTreeMap<Slug, LimiterFigures> {
        let made = self.lock();
        let figures = |made: &Made| Some((made.name.clone(), made.backend.limiter()?.figures()));
        made.values().filter_map(figures).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Made>> {
        // Every change under this lock is a single step, so a panic leaves it whole.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the database until it answers, for a while: a blink of it says nothing about an endpoint.
async fn answered<T, F>(mut ask: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, DbError>>,
{
    for _ in 1..DATABASE_TRIES {
        match ask().await {
            Err(error) if error.is_retryable() => tokio::time::sleep(DATABASE_RETRY).await,
            outcome => return outcome.map_err(|error| error.to_string()),
        }
    }
    ask().await.map_err(|error| error.to_string())
}

/// What endpoints may be reached: public addresses, this machine in local mode, and the operator's list.
pub(crate) fn policy(loopback: bool, allowed: &[String]) -> Result<GuardPolicy, Failure> {
    let start = if loopback { GuardPolicy::local() } else { GuardPolicy::public() };
    allowed.iter().try_fold(start, |policy, entry| {
        policy.allowing(entry).map_err(|error| Failure::usage(format!("allowed_networks: {error}")))
    })
}
