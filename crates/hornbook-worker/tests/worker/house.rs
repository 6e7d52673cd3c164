//! A house to test in: a database, a corpus store, endpoints, and workers on demand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hornbook_db::jobs::Job;
use hornbook_db::{Db, Notifier, corpora, endpoints, jobs, seed_sets};
use hornbook_inference::SharedBackend;
use hornbook_types::{
    AssemblySpec, AudienceSpec, Clock, EndpointKind, EndpointSpec, GateSpec, GradeRange, JobState,
    Manifest, OutputKind, PinnedJobSpec, PinnedLine, Sampling, Slug, TemplateSpec, TokenRange,
};
use hornbook_worker::{Datasets, Worker, WorkerConfig, WorkerHandle};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use crate::common::TestDb;
use crate::endpoint::Scripted;

/// Longest wait for anything; reached only when it will never come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Seeds of the one seed set.
const SEEDS: u64 = 50;

pub(crate) struct House {
    pub(crate) test_db: TestDb,
    pub(crate) db: Db,
    dir: tempfile::TempDir,
    endpoints: BTreeMap<Slug, Arc<Scripted>>,
    /// Endpoints stand behind a limiter and are tried again, as real ones.
    pub(crate) is_limited: bool,
    pub(crate) import_root: Option<PathBuf>,
    pub(crate) datasets: Option<Arc<dyn Datasets>>,
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> OffsetDateTime {
        datetime!(2026-01-01 12:00 UTC)
    }
}

pub(crate) fn slug(name: &str) -> Slug {
    name.parse().unwrap()
}

impl House {
    /// A house with a seed set of fifty topics and these endpoints; `local` is in every worker.
    pub(crate) async fn new(endpoints: &[(&str, &Arc<Scripted>)]) -> Self {
        let test_db = TestDb::new().await;
        let db = test_db.db.clone();
        let mut import =
            seed_sets::begin(&db, &slug("topics"), "CC0-1.0", Some("these tests")).await.unwrap();
        let records: Vec<Map<String, Value>> = (0..SEEDS)
            .map(|i| [("topic".to_owned(), Value::from(format!("topic{i}")))].into_iter().collect())
            .collect();
        import.push(&records).await.unwrap();
        import.finish().await.unwrap();
        let mut house = Self {
            test_db,
            db,
            dir: tempfile::tempdir().unwrap(),
            endpoints: BTreeMap::new(),
            is_limited: false,
            import_root: None,
            datasets: None,
        };
        for (name, scripted) in endpoints {
            house.put_endpoint(name).await;
            house.endpoints.insert(slug(name), Arc::clone(scripted));
        }
        std::fs::create_dir_all(house.store_dir()).unwrap();
        house
    }

    async fn put_endpoint(&self, name: &str) {
        let is_local = name == "local";
        let spec = EndpointSpec {
            kind: if is_local { EndpointKind::Local } else { EndpointKind::Openai },
            preset: None,
            base_url: if is_local { String::new() } else { "http://127.0.0.1:9/v1".to_owned() },
            model: "scripted".to_owned(),
            limits: Default::default(),
            price: Default::default(),
            options: Map::new(),
        };
        endpoints::put(&self.db, &slug(name), &spec, endpoints::Secret::Clear).await.unwrap();
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn scratch_dir(&self, worker: &str) -> PathBuf {
        self.dir.path().join("scratch").join(worker)
    }

    /// Starts a worker with scratch space of that name.
    pub(crate) async fn worker(&self, name: &str) -> WorkerHandle {
        self.worker_with(name, true).await
    }

    pub(crate) async fn worker_with(&self, name: &str, has_local: bool) -> WorkerHandle {
        self.start(name, has_local, self.endpoints.clone()).await
    }

    /// A worker from where an endpoint looks otherwise than from the others.
    pub(crate) async fn worker_seeing(
        &self,
        name: &str,
        endpoint: &str,
        seen: &Arc<Scripted>,
    ) -> WorkerHandle {
        let mut known = self.endpoints.clone();
        known.insert(slug(endpoint), Arc::clone(seen));
        self.start(name, true, known).await
    }

    async fn start(
        &self,
        name: &str,
        has_local: bool,
        known: BTreeMap<Slug, Arc<Scripted>>,
    ) -> WorkerHandle {
        let store: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(self.store_dir()).unwrap());
        let is_limited = self.is_limited;
        let db = self.test_db.another().await;
        Worker::start(WorkerConfig {
            notifier: Arc::new(Notifier::start(&db)),
            db,
            store,
            scratch: self.scratch_dir(name),
            tokenizers: Vec::new(),
            clock: Arc::new(Noon),
            id: Uuid::now_v7(),
            name: String::new(),
            backends: Arc::new(move |name| {
                let found = known.get(&name).map(|scripted| match is_limited {
                    true => scripted.behind_limits(),
                    false => Arc::clone(scripted) as SharedBackend,
                });
                Box::pin(async move { found.ok_or_else(|| "no such endpoint".to_owned()) })
            }),
            has_local,
            import_root: self.import_root.clone(),
            datasets: self.datasets.clone(),
            commits: Arc::default(),
        })
        .await
        .unwrap()
    }

    pub(crate) async fn submit(&self, spec: &PinnedJobSpec) -> Uuid {
        let id = Uuid::now_v7();
        jobs::submit(&self.db, id, spec).await.unwrap();
        id
    }

    pub(crate) async fn job(&self, id: Uuid) -> Job {
        jobs::get(&self.db, id).await.unwrap()
    }

    /// Waits until a job is in that state and no corpus of it is being made.
    pub(crate) async fn until(&self, id: Uuid, state: JobState) -> Job {
        until(&format!("job {}", state.as_str()), async || {
            let job = jobs::get(&self.db, id).await.ok()?;
            (job.state == state && !job.assembly_pending).then_some(job)
        })
        .await
    }

    /// Waits until so many prompts of a job have ended.
    pub(crate) async fn until_ended(&self, id: Uuid, count: u64) {
        until(&format!("{count} prompts"), async || {
            let job = jobs::get(&self.db, id).await.ok()?;
            (job.counts.ended() >= count).then_some(())
        })
        .await;
    }

    /// Waits until a heartbeat has told the worker what happened to the one leased chunk's job so far.
    pub(crate) async fn until_heard(&self) {
        let beat =
            "SELECT (extract(epoch FROM min(lease_expires_at)) * 1000)::bigint FROM job_chunks
                     WHERE state = 'leased'";
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let now = self.test_db.number(now).await;
        let lease_millis = hornbook_types::limits::LEASE_SECONDS as i64 * 1_000;
        until("a heartbeat", async || {
            (self.test_db.number(beat).await - lease_millis > now).then_some(())
        })
        .await;
        // From the answer on the wire to the worker's ear.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// Every stored `seq` of a job.
    pub(crate) async fn seqs(&self, id: Uuid) -> Vec<i64> {
        let query = format!("SELECT seq FROM documents WHERE job_id = '{id}' ORDER BY seq");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&self.test_db.raw).await.unwrap()
    }

    pub(crate) async fn corpus(&self, id: Uuid) -> corpora::Corpus {
        corpora::by_job(&self.db, id).await.unwrap()
    }

    /// The manifest of a job's corpus, after checking every file of it against the database.
    pub(crate) async fn checked_corpus(&self, id: Uuid) -> Manifest {
        use sha2::{Digest as _, Sha256};
        let corpus = self.corpus(id).await;
        let stored = corpora::files(&self.db, id, None).await.unwrap();
        assert_eq!(stored.len(), corpus.manifest.content.files.len() + 1);
        for file in &stored {
            let path = self.store_dir().join(&file.location).join(&file.file.path);
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(hex::encode(Sha256::digest(&bytes)), file.file.sha256, "{}", file.file.path);
            assert_eq!(bytes.len() as u64, file.file.bytes);
        }
        let path = self.store_dir().join(&corpus.location).join("manifest.json");
        let on_disk: Manifest = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(on_disk, corpus.manifest);
        corpus.manifest
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Stories and letters for toddlers, so many in all, from these endpoints.
pub(crate) fn spec(total: u64, endpoints: &[&str]) -> PinnedJobSpec {
    let audience_spec = AudienceSpec {
        title: "Toddler".to_owned(),
        rank: Some(0),
        reader: "toddlers".to_owned(),
        instructions: vec!["Write.".to_owned()],
        vocabulary: "plain".to_owned(),
        leave_out: Vec::new(),
        formulas: "none".to_owned(),
        ending: "stop".to_owned(),
        tokens: TokenRange { min: 10, max: 100 },
        grade: GradeRange::default(),
    };
    let line = |format: &str, body: &str, prompts| PinnedLine {
        template: format!("{format}@1").parse().unwrap(),
        audience: "toddler@1".parse().unwrap(),
        prompts,
        quota: None,
        template_spec: TemplateSpec {
            format: slug(format),
            output: OutputKind::Text,
            body: body.to_owned(),
            description: None,
        },
        audience_spec: audience_spec.clone(),
    };
    PinnedJobSpec {
        name: "Ponds".to_owned(),
        seed_set: "topics@1".parse().unwrap(),
        seeds: SEEDS,
        lines: vec![
            line("story", "Tell a story of {{ seed.topic }}", total - total / 4),
            line("letter", "Write a letter to {{ seed.topic }}", total / 4),
        ],
        total,
        paired: false,
        sampling: Sampling::default(),
        endpoints: endpoints.iter().map(|name| slug(name)).collect(),
        gates: GateSpec::default(),
        assembly: AssemblySpec {
            dedup: hornbook_types::DedupMode::None,
            ..AssemblySpec::default()
        },
        priority: 0,
        weight: 1.0,
        metadata: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
    }
}

/// Every number below `total`, once.
pub(crate) fn every_seq(total: u64) -> Vec<i64> {
    (0..total as i64).collect()
}
