//! Backends for stored endpoints: the same for workers and for testing an endpoint.

use std::sync::Arc;

use hornbook_db::{Db, endpoints};
use hornbook_inference::http::{Client, GuardPolicy};
use hornbook_inference::{Ambient, OpenAiBackend, OpenAiConfig, Secret, SharedBackend};
use hornbook_types::{EndpointKind, Slug};

use crate::exit::{Context as _, Failure};

/// Makes backends; cheap to clone.
#[derive(Clone)]
pub(crate) struct Backends {
    db: Db,
    client: Client,
    ambient: Ambient,
    local: Option<SharedBackend>,
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
        Ok(Self { db, client, ambient, local })
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
        let endpoint = endpoints::get(&self.db, name).await.map_err(|error| error.to_string())?;
        if endpoint.spec.kind == EndpointKind::Local {
            return self.local.clone().ok_or_else(|| {
                endpoint.message.unwrap_or_else(|| "not in this process".to_owned())
            });
        }
        let secret = endpoints::secret(&self.db, name).await.map_err(|error| error.to_string())?;
        let config = OpenAiConfig::from_spec(&endpoint.spec, secret.map(Secret::new));
        let backend = OpenAiBackend::new(config, self.client.clone(), self.ambient.clone())
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(backend))
    }
}

/// What endpoints may be reached: public addresses, this machine in local mode, and the operator's list.
pub(crate) fn policy(loopback: bool, allowed: &[String]) -> Result<GuardPolicy, Failure> {
    let start = if loopback { GuardPolicy::local() } else { GuardPolicy::public() };
    allowed.iter().try_fold(start, |policy, entry| {
        policy.allowing(entry).map_err(|error| Failure::usage(format!("allowed_networks: {error}")))
    })
}
