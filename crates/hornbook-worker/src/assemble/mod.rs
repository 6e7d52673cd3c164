//! Assemble: a job's accepted documents become a published corpus.
//!
//! One assembly at a time per worker, under a lease of its own: export segments, write the corpus
//! to scratch, upload it, publish it in one transaction. Whatever is killed in between leaves a
//! lease that runs out, and files that nothing points to.

mod benchmarks;
mod corpus;
mod fault;
mod lease;
mod mixed;
mod publish;
mod quota;
mod store;
mod tokenizer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hornbook_db::assembly::{self, Claimed};
use hornbook_db::corpora::mixed as mixed_corpora;
use hornbook_db::{Db, DbError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limits::{DATABASE_RETRY, IDLE_INTERVAL};
use crate::shared::{Shared, until_answered};
use lease::{Lease, keep};

pub(crate) use fault::Fault;
pub(crate) use mixed::ids_in;
pub(crate) use store::{delete_below, job_prefix, put};

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
        match claim(&shared.db, shared.worker).await {
            Ok(Some(Work::Job(claimed))) => serve(&shared, &claimed, &stop).await,
            Ok(Some(Work::Mixed(claimed))) => mixed::serve(&shared, &claimed, &stop).await,
            Ok(None) => {
                mixed::forget(&shared).await;
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

/// Something to assemble.
enum Work {
    Job(Claimed),
    Mixed(mixed_corpora::Claimed),
}

/// Jobs first: mixed corpora are made of them.
async fn claim(db: &Db, worker: Uuid) -> Result<Option<Work>, DbError> {
    if let Some(job) = assembly::claim(db, worker).await? {
        return Ok(Some(Work::Job(job)));
    }
    Ok(mixed_corpora::claim(db, worker).await?.map(Work::Mixed))
}

/// Takes one claimed assembly to its end, whatever that is.
async fn serve(shared: &Arc<Shared>, claimed: &Claimed, stop: &CancellationToken) {
    let key = claimed.key;
    let job = key.job_id;
    let halt = stop.child_token();
    let heart = keep(shared, Lease::Job(key), &halt);
    tracing::info!(%job, "assembling a corpus");
    let outcome = publish::assemble_and_publish(shared, claimed, &halt).await;
    heart.end().await;
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
