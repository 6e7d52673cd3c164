//! Workers, made from the parts that every process has.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hornbook_db::documents::CommitMeter;
use hornbook_db::{Db, Notifier};
use hornbook_types::SystemClock;
use hornbook_worker::{Datasets, Worker, WorkerConfig, WorkerHandle};
use object_store::ObjectStore;
use uuid::Uuid;

use super::Backends;
use super::scratch::Scratch;
use crate::exit::{Context as _, Failure};

/// Name of the directory of scratch directories below the data directory.
const SCRATCH_DIR: &str = "scratch";
/// Name of the directory of tokenizers below the data directory.
const TOKENIZERS_DIR: &str = "tokenizers";

/// What a worker of this process is made from.
pub(crate) struct WorkerParts {
    pub(crate) db: Db,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) backends: Backends,
    pub(crate) data_dir: PathBuf,
    /// Directory below which files of this machine may be imported.
    pub(crate) import_root: Option<PathBuf>,
    /// Where datasets come from.
    pub(crate) datasets: Arc<dyn Datasets>,
    /// A name that only one process can bear at a time, or nothing.
    pub(crate) name: String,
    /// Counts how long documents wait to be stored.
    pub(crate) commits: Arc<CommitMeter>,
}

/// A worker at work, and the scratch directory that is its own meanwhile.
pub(crate) struct RunningWorker {
    handle: WorkerHandle,
    _scratch: Scratch,
}

impl RunningWorker {
    /// Takes no more work, lets what is in flight finish within `drain`, hands the rest back.
    pub(crate) async fn shutdown(self, drain: Duration) {
        self.handle.shutdown(drain).await;
    }
}

/// Where tokenizers lie: their own directory, then those of models.
pub(crate) fn tokenizer_directories(data_dir: &Path) -> Vec<PathBuf> {
    [TOKENIZERS_DIR, "models"].map(|name| data_dir.join(name)).into()
}

/// Starts a worker.
pub(crate) async fn start_worker(parts: WorkerParts) -> Result<RunningWorker, Failure> {
    let scratch = Scratch::take(&parts.data_dir.join(SCRATCH_DIR))?;
    let id = Uuid::now_v7();
    let backends = parts.backends.clone();
    let handle = Worker::start(WorkerConfig {
        notifier: Arc::new(Notifier::start(&parts.db)),
        db: parts.db,
        store: parts.store,
        scratch: scratch.path().to_owned(),
        tokenizers: tokenizer_directories(&parts.data_dir),
        clock: Arc::new(SystemClock),
        id,
        name: parts.name,
        commits: parts.commits,
        import_root: parts.import_root,
        datasets: Some(parts.datasets),
        has_local: parts.backends.local().is_some(),
        backends: Arc::new(move |name| {
            let backends = backends.clone();
            Box::pin(async move { backends.make(&name).await })
        }),
    })
    .await
    .context("starting a worker")?;
    Ok(RunningWorker { handle, _scratch: scratch })
}
