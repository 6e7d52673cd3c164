//! Group commits: finished documents become rows, up to 64 at a time or after 50 ms.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hornbook_db::documents::{self, Committed};
use hornbook_db::{DbError, events, jobs};
use hornbook_types::Document;
use hornbook_types::limits::{COMMIT_LINGER_MILLIS, COMMIT_ROWS};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::chunk::Chunk;
use super::desk::Desk;
use crate::limits::{COMMIT_QUEUE_DOCUMENTS, COMMIT_RETRY, COMMIT_TRIES};
use crate::shared::{Shared, until_answered};

/// Shortest time between two looks whether a progress event is due.
const PROGRESS_LOOK: Duration = Duration::from_secs(1);

/// Code of a job whose finished documents the database keeps refusing.
const NOT_STORED: &str = "documents_not_stored";

/// A document to store.
pub(crate) struct Finished {
    pub(crate) desk: Arc<Desk>,
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) document: Document,
    pub(crate) usd: f64,
}

/// Takes documents to the one task that stores them.
#[derive(Clone)]
pub(crate) struct Committer(mpsc::Sender<Finished>);

impl Committer {
    /// Starts the task; it ends when the last committer is dropped and everything is stored.
    pub(crate) fn start(shared: Arc<Shared>) -> (Self, AbortOnDropHandle<()>) {
        let (sender, receiver) = mpsc::channel(COMMIT_QUEUE_DOCUMENTS);
        (Self(sender), AbortOnDropHandle::new(tokio::spawn(run(shared, receiver))))
    }

    /// Hands a document over; waits when too many wait already.
    pub(crate) async fn store(&self, finished: Finished) {
        if let Err(refused) = self.0.send(finished).await {
            // The task is gone, so nothing will store it: the chunk's next owner asks again.
            refused.0.chunk.ended(false);
        }
    }
}

async fn run(shared: Arc<Shared>, mut receiver: mpsc::Receiver<Finished>) {
    let mut looked: BTreeMap<Uuid, Instant> = BTreeMap::new();
    while let Some(first) = receiver.recv().await {
        let group = gather(first, &mut receiver).await;
        let mut by_chunk: BTreeMap<i64, Vec<Finished>> = BTreeMap::new();
        for finished in group {
            by_chunk.entry(finished.chunk.lease.key.token.0).or_default().push(finished);
        }
        let jobs = join_all(by_chunk.into_values().map(|group| commit(&shared, group))).await;
        for job in jobs.into_iter().flatten() {
            let due = looked.get(&job).is_none_or(|at| at.elapsed() >= PROGRESS_LOOK);
            if due {
                looked.retain(|_, at| at.elapsed() < PROGRESS_LOOK);
                looked.insert(job, Instant::now());
                if let Err(error) = events::progress(&shared.db, job).await {
                    tracing::debug!(%error, %job, "no progress event");
                }
            }
        }
    }
}

/// The first document, and those that come within the linger time.
async fn gather(first: Finished, receiver: &mut mpsc::Receiver<Finished>) -> Vec<Finished> {
    let deadline = tokio::time::Instant::now() + Duration::from_millis(COMMIT_LINGER_MILLIS);
    let mut group = vec![first];
    while group.len() < COMMIT_ROWS {
        match tokio::time::timeout_at(deadline, receiver.recv()).await {
            Ok(Some(finished)) => group.push(finished),
            Ok(None) | Err(_) => break,
        }
    }
    group
}

/// Stores documents, trying for a while whatever the database says: they were paid for.
async fn store(
    shared: &Shared,
    chunk: &Chunk,
    rows: &[Document],
    usd: f64,
) -> Result<Committed, DbError> {
    let mut pause = COMMIT_RETRY;
    let mut tries = 1;
    loop {
        let stored = until_answered(&chunk.given_up, || {
            documents::commit_group_splitting(&shared.db, &chunk.lease.key, rows, usd)
        })
        .await;
        match stored {
            Err(error)
                if !matches!(error, DbError::Fenced)
                    && tries < COMMIT_TRIES
                    && !chunk.given_up.is_cancelled() =>
            {
                tracing::warn!(%error, job = %chunk.job.id, tries, "documents not stored yet");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = chunk.given_up.cancelled() => {}
                }
                pause *= 2;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Stores documents of one chunk; gives its job when something was stored.
async fn commit(shared: &Shared, group: Vec<Finished>) -> Option<Uuid> {
    let (chunk, desk) = match group.first() {
        Some(finished) => (Arc::clone(&finished.chunk), Arc::clone(&finished.desk)),
        None => return None,
    };
    let usd: f64 = group.iter().map(|finished| finished.usd).sum();
    let rows: Vec<Document> = group.into_iter().map(|finished| finished.document).collect();
    let key = &chunk.lease.key;
    let stored = store(shared, &chunk, &rows, usd).await;
    let is_stored = match stored {
        Ok(committed) => {
            for seq in committed.refused {
                tracing::warn!(job = %key.job_id, seq, "the database refused a document");
            }
            true
        }
        Err(DbError::Fenced) => {
            desk.lose(&chunk);
            false
        }
        Err(error) if error.is_retryable() => false,
        Err(error) => {
            // Handed back, the same prompts would be paid for again and end the same way.
            let message = format!("finished documents cannot be stored: {error}");
            tracing::error!(job = %key.job_id, chunk = key.chunk, message);
            if let Err(error) = jobs::fail(&shared.db, key.job_id, NOT_STORED, &message).await {
                tracing::error!(%error, job = %key.job_id, "cannot fail a job");
            }
            false
        }
    };
    for _ in &rows {
        chunk.ended(is_stored);
        desk.pace.count();
    }
    desk.end_if_over(&chunk).await;
    desk.announce();
    is_stored.then_some(key.job_id)
}
