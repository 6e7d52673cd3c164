//! Workers, made from the parts that every process has.

use std::path::PathBuf;
use std::sync::Arc;

use hornbook_db::{Db, Notifier};
use hornbook_types::SystemClock;
use hornbook_worker::{Worker, WorkerConfig, WorkerHandle};
use object_store::ObjectStore;
use uuid::Uuid;

use super::Backends;
use crate::exit::{Context as _, Failure};

/// What a worker of this process is made from.
pub(crate) struct WorkerParts {
    pub(crate) db: Db,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) backends: Backends,
    pub(crate) scratch: PathBuf,
    /// A name that only one process can bear at a time, or nothing.
    pub(crate) name: String,
}

/// Starts a worker.
pub(crate) async fn start_worker(parts: WorkerParts) -> Result<WorkerHandle, Failure> {
    let id = Uuid::now_v7();
    let backends = parts.backends.clone();
    Worker::start(WorkerConfig {
        notifier: Arc::new(Notifier::start(&parts.db)),
        db: parts.db,
        store: parts.store,
        scratch: parts.scratch,
        clock: Arc::new(SystemClock),
        id,
        name: parts.name,
        has_local: parts.backends.local().is_some(),
        backends: Arc::new(move |name| {
            let backends = backends.clone();
            Box::pin(async move { backends.make(&name).await })
        }),
    })
    .await
    .context("starting a worker")
}
