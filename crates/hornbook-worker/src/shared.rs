//! What the loops of one worker share.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use hornbook_db::documents::CommitMeter;
use hornbook_db::{Db, DbError, Notifier};
use hornbook_types::Clock;
use object_store::ObjectStore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{BackendFactory, WorkerConfig};
use crate::imports::Datasets;
use crate::limits::{DATABASE_PATIENCE, DATABASE_RETRY};

/// What the loops of one worker share; made once from its configuration.
pub(crate) struct Shared {
    pub(crate) db: Db,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) scratch: PathBuf,
    pub(crate) tokenizers: Vec<PathBuf>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) worker: Uuid,
    pub(crate) name: String,
    pub(crate) backends: BackendFactory,
    pub(crate) has_local: bool,
    pub(crate) import_root: Option<PathBuf>,
    pub(crate) datasets: Option<Arc<dyn Datasets>>,
    pub(crate) commits: Arc<CommitMeter>,
    /// Held by whoever writes segments and what is known of them.
    pub(crate) segments: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(crate) fn new(config: WorkerConfig) -> Self {
        Self {
            db: config.db,
            notifier: config.notifier,
            store: config.store,
            scratch: config.scratch,
            tokenizers: config.tokenizers,
            clock: config.clock,
            worker: config.id,
            name: config.name,
            backends: config.backends,
            has_local: config.has_local,
            import_root: config.import_root,
            datasets: config.datasets,
            commits: config.commits,
            segments: tokio::sync::Mutex::default(),
        }
    }
}

/// What `call` says, if it does so in time: a connection that is cut off says nothing at all.
pub(crate) async fn in_time<T>(
    call: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    match tokio::time::timeout(DATABASE_PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(DbError::Unavailable("no answer in time".to_owned())),
    }
}

/// Does `call` until the database answers; any other error, and a stop, end it.
pub(crate) async fn until_answered<T, F>(
    stop: &CancellationToken,
    mut call: impl FnMut() -> F,
) -> Result<T, DbError>
where
    F: Future<Output = Result<T, DbError>>,
{
    let mut said = false;
    loop {
        match call().await {
            Err(error) if error.is_retryable() && !stop.is_cancelled() => {
                if !said {
                    tracing::warn!(%error, "waiting for the database");
                    said = true;
                }
                tokio::select! {
                    () = tokio::time::sleep(DATABASE_RETRY) => {}
                    () = stop.cancelled() => {}
                }
            }
            outcome => return outcome,
        }
    }
}
