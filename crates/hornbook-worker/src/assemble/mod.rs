//! Assemble: a job's accepted documents become a published corpus.
//!
//! One assembly at a time per worker, under a lease of its own: export segments, write the corpus
//! to scratch, upload it, publish it in one transaction. Whatever is killed in between leaves a
//! lease that runs out, and files that nothing points to.

mod corpus;
mod fault;
mod publish;
mod quota;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hornbook_db::DbError;
use hornbook_db::assembly::{self, AssemblyKey, Claimed};
use hornbook_types::limits::HEARTBEAT_SECONDS;
use tokio_util::sync::CancellationToken;

use crate::limits::{DATABASE_RETRY, IDLE_INTERVAL};
use crate::shared::{Shared, until_answered};

pub(crate) use fault::Fault;
pub(crate) use store::{delete_below, job_prefix};

/// Where a corpus is written before it is uploaded.
fn corpora_dir(scratch: &Path) -> PathBuf {
    scratch.join("corpora")
}

/// Assembles whatever is wanted, until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let leftovers = corpora_dir(&shared.scratch);
    if let Err(error) = tokio::fs::remove_dir_all(&leftovers).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %leftovers.display(), "cannot remove an unpublished corpus");
    }
    let mut news = shared.notifier.subscribe();
    while !stop.is_cancelled() {
        match assembly::claim(&shared.db, shared.worker).await {
            Ok(Some(claimed)) => serve(&shared, &claimed, &stop).await,
            Ok(None) => {
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = news.changed(None, IDLE_INTERVAL) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for corpora to assemble");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
        }
    }
}

/// Takes one claimed assembly to its end, whatever that is.
async fn serve(shared: &Arc<Shared>, claimed: &Claimed, stop: &CancellationToken) {
    let key = claimed.key;
    let job = key.job_id;
    let halt = stop.child_token();
    let beating = halt.child_token();
    let heart = tokio::spawn(heartbeat(Arc::clone(shared), key, halt.clone(), beating.clone()));
    tracing::info!(%job, "assembling a corpus");
    let outcome = publish::assemble_and_publish(shared, claimed, &halt).await;
    beating.cancel();
    if let Err(error) = heart.await {
        tracing::error!(%error, "the heartbeat of an assembly ended badly");
    }
    let scratch = corpora_dir(&shared.scratch).join(job.to_string());
    if let Err(error) = tokio::fs::remove_dir_all(&scratch).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %scratch.display(), "cannot remove an unpublished corpus");
    }
    let ended = match outcome {
        Ok(state) => {
            tracing::info!(%job, state = state.as_str(), "corpus published");
            Ok(())
        }
        Err(Fault::Stopped | Fault::Gone) => assembly::release(&shared.db, &key).await,
        Err(fault) => {
            let message = fault.to_string();
            tracing::error!(%job, message, "assembly failed");
            until_answered(stop, || assembly::fail(&shared.db, &key, &message)).await.map(drop)
        }
    };
    match ended {
        Ok(()) | Err(DbError::Fenced) => {}
        Err(error) => tracing::warn!(%error, %job, "cannot end an assembly's lease"),
    }
}

/// Keeps the lease until `stop`; a lost lease cancels `halt`.
async fn heartbeat(
    shared: Arc<Shared>,
    key: AssemblyKey,
    halt: CancellationToken,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let pause = match assembly::heartbeat(&shared.db, &key).await {
            Ok(()) => Duration::from_secs(HEARTBEAT_SECONDS),
            Err(DbError::Fenced) => {
                tracing::warn!(job = %key.job_id, "the lease of an assembly was lost");
                halt.cancel();
                return;
            }
            Err(error) => {
                tracing::warn!(%error, job = %key.job_id, "no heartbeat for an assembly");
                DATABASE_RETRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
