//! Starting a worker's loops and ending them in order.

use std::sync::Arc;
use std::time::Duration;

use hornbook_db::{DbError, workers};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::WorkerConfig;
use crate::shared::{Shared, until_answered};
use crate::{ahead, assemble, generate, imports, janitor};

/// A worker; start it with [`Worker::start`].
pub struct Worker;

/// A running worker.
///
/// Dropping it without [`WorkerHandle::shutdown`] ends it as a crash would: leases run out.
pub struct WorkerHandle {
    shared: Arc<Shared>,
    /// Cancelled: take no more work.
    stop: CancellationToken,
    /// Cancelled: give up what is in flight.
    abort: CancellationToken,
    loops: Vec<JoinHandle<()>>,
}

impl Worker {
    /// Announces a worker and starts its loops.
    ///
    /// # Errors
    /// When the database refuses; one that cannot be reached is waited for.
    pub async fn start(config: WorkerConfig) -> Result<WorkerHandle, DbError> {
        let shared = Arc::new(Shared::new(config));
        let stop = CancellationToken::new();
        let abort = CancellationToken::new();
        let freed =
            until_answered(&stop, || workers::register(&shared.db, shared.worker, &shared.name))
                .await?;
        if freed > 0 {
            tracing::info!(freed, "took over the leases of this worker's predecessor");
        }
        let loops = vec![
            tokio::spawn(generate::run(Arc::clone(&shared), stop.clone(), abort.clone())),
            tokio::spawn(assemble::run(Arc::clone(&shared), stop.clone())),
            tokio::spawn(ahead::run(Arc::clone(&shared), stop.clone())),
            tokio::spawn(imports::run(Arc::clone(&shared), stop.clone())),
            tokio::spawn(janitor::run(Arc::clone(&shared), stop.clone())),
        ];
        Ok(WorkerHandle { shared, stop, abort, loops })
    }
}

impl WorkerHandle {
    /// Takes no more work, lets what is in flight finish within `drain`, hands the rest back.
    pub async fn shutdown(mut self, drain: Duration) {
        self.stop.cancel();
        let abort = self.abort.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            abort.cancel();
        });
        for running in self.loops.drain(..) {
            if let Err(error) = running.await
                && error.is_panic()
            {
                tracing::error!(%error, "a worker loop panicked");
            }
        }
        timer.abort();
        if let Err(error) = workers::deregister(&self.shared.db, self.shared.worker).await {
            tracing::debug!(%error, "not taken off the list of workers");
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        for running in &self.loops {
            running.abort();
        }
    }
}
