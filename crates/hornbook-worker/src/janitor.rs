//! The janitor: frees leases of the dead, warns jobs that wait, removes deleted jobs, forgets what is old.
//!
//! Every worker has one. All that they do may be done twice, so they need not agree on who does it.

use std::sync::Arc;

use hornbook_db::corpora::mixed;
use hornbook_db::jobs::{self, Purge};
use hornbook_db::{DbError, janitor};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::assemble::{delete_below, ids_in, job_prefix};
use crate::limits::{JANITOR_INTERVAL, JANITOR_REST};
use crate::segments::segments_dir;
use crate::shared::Shared;
use crate::waiting;

/// Sweeps until `stop`: now and then, and soon after anything happened to a job.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut news = shared.notifier.subscribe();
    while !stop.is_cancelled() {
        if let Err(error) = sweep(&shared, &stop).await {
            tracing::warn!(%error, "sweep cut short");
        }
        let wait = async {
            tokio::time::sleep(JANITOR_REST).await;
            news.changed(None, JANITOR_INTERVAL).await;
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = wait => {}
        }
    }
}

async fn sweep(shared: &Shared, stop: &CancellationToken) -> Result<(), SweepError> {
    let swept = janitor::sweep(&shared.db).await?;
    if swept.chunks + swept.jobs + swept.workers > 0 {
        tracing::info!(
            chunks = swept.chunks,
            jobs = swept.jobs,
            workers = swept.workers,
            "swept up"
        );
    }
    waiting::warn(&shared.db).await?;
    while !stop.is_cancelled() {
        let Some(purge) = jobs::next_purge(&shared.db).await? else { break };
        remove(shared, &purge, stop).await?;
    }
    while !stop.is_cancelled() {
        let Some(id) = mixed::next_purge(&shared.db).await? else { break };
        remove_mixed(shared, id).await?;
    }
    forget_segments(shared).await
}

/// Removes a deleted mixed corpus: files first, because rows are what finds them.
async fn remove_mixed(shared: &Shared, id: Uuid) -> Result<(), SweepError> {
    delete_below(&shared.store, &job_prefix(id)).await?;
    match mixed::finish_purge(&shared.db, id).await {
        Ok(()) => tracing::info!(corpus = %id, "mixed corpus removed"),
        // Another janitor was faster.
        Err(DbError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Removes a deleted job: files first, because rows are what finds them.
async fn remove(
    shared: &Shared,
    purge: &Purge,
    stop: &CancellationToken,
) -> Result<(), SweepError> {
    let job = purge.job_id;
    delete_below(&shared.store, &job_prefix(job)).await?;
    for location in &purge.locations {
        delete_below(&shared.store, location).await?;
    }
    while jobs::purge_documents(&shared.db, job).await? > 0 {
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    match jobs::finish_purge(&shared.db, job).await {
        Ok(()) => tracing::info!(%job, "job removed"),
        // Another janitor was faster.
        Err(DbError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Removes segments in this worker's scratch whose job was removed by any worker.
async fn forget_segments(shared: &Shared) -> Result<(), SweepError> {
    for job in ids_in(&shared.scratch.join("segments")).await? {
        if let Err(DbError::NotFound(_)) = jobs::state(&shared.db, job).await {
            tokio::fs::remove_dir_all(segments_dir(&shared.scratch, job)).await?;
        }
    }
    Ok(())
}

/// What cuts a sweep short; the next one goes on.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("the corpus store: {0}")]
    Store(#[from] object_store::Error),
    #[error("scratch: {0}")]
    Scratch(#[from] std::io::Error),
}
