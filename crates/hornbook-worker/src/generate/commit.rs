//! Group commits: the finished documents of a chunk become rows together, within 50 ms and one commit.
//!
//! Each chunk gathers its own group. While one group is being stored, the next gathers, so a slow disk
//! makes larger groups, not a longer queue; groups of different chunks are stored side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hornbook_db::documents::{self, Committed};
use hornbook_db::{DbError, events, jobs};
use hornbook_types::limits::COMMIT_LINGER_MILLIS;
use hornbook_types::{Document, Verdict};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::chunk::Chunk;
use super::desk::Desk;
use super::group::{Rows, bytes};
use super::purse::Spent;
use crate::limits::{
    COMMIT_QUEUE_BYTES, COMMIT_QUEUE_DOCUMENTS, COMMIT_RETRY, COMMIT_TRIES, COMMITS,
};
use crate::shared::{Shared, until_answered};

/// Shortest time between two looks whether a progress event is due.
const PROGRESS_LOOK: Duration = Duration::from_secs(1);

/// Code of a job whose finished documents the database keeps refusing.
const NOT_STORED: &str = "documents_not_stored";

/// Stores finished documents.
#[derive(Clone)]
pub(crate) struct Committer(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// Groups that may be stored at once.
    turns: Semaphore,
    tasks: TaskTracker,
    /// Cancelled when the worker goes away without an orderly end: nothing more is stored then.
    dropped: CancellationToken,
    documents: AtomicUsize,
    bytes: AtomicUsize,
    /// Told whenever documents were stored.
    stored: Notify,
    /// When each job was last looked at for a progress event.
    looked: Mutex<BTreeMap<Uuid, Instant>>,
}

impl Committer {
    /// A committer; nothing is stored any more once the guard is dropped.
    pub(crate) fn new(shared: Arc<Shared>) -> (Self, DropGuard) {
        let dropped = CancellationToken::new();
        let guard = dropped.clone().drop_guard();
        let inner = Inner {
            shared,
            turns: Semaphore::new(COMMITS),
            tasks: TaskTracker::new(),
            dropped,
            documents: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            stored: Notify::new(),
            looked: Mutex::default(),
        };
        (Self(Arc::new(inner)), guard)
    }

    /// Hands a document over, and what it cost; its chunk hears when it is stored.
    pub(crate) fn store(&self, desk: &Arc<Desk>, chunk: &Arc<Chunk>, document: Document, usd: f64) {
        let inner = &self.0;
        inner.documents.fetch_add(1, Ordering::Relaxed);
        inner.bytes.fetch_add(bytes(&document), Ordering::Relaxed);
        if !chunk.group.push(document, usd) {
            return;
        }
        let storing = Storing {
            inner: Arc::clone(inner),
            desk: Arc::clone(desk),
            chunk: Arc::clone(chunk),
            taken: (0, 0),
            has_ended: false,
        };
        inner.tasks.spawn(async move {
            let dropped = storing.inner.dropped.clone();
            tokio::select! {
                biased;
                () = dropped.cancelled() => {}
                () = storing.run() => {}
            }
        });
    }

    /// Waits until not too many documents wait to be stored.
    pub(crate) async fn room(&self) {
        loop {
            let stored = self.0.stored.notified();
            tokio::pin!(stored);
            stored.as_mut().enable();
            if self.0.has_room() {
                return;
            }
            stored.await;
        }
    }

    /// Waits until everything that was handed over is stored or given up.
    pub(crate) async fn finish(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Inner {
    fn has_room(&self) -> bool {
        self.documents.load(Ordering::Relaxed) < COMMIT_QUEUE_DOCUMENTS
            && self.bytes.load(Ordering::Relaxed) < COMMIT_QUEUE_BYTES
    }

    /// So many documents do not wait any more.
    fn gone(&self, (documents, bytes): (usize, usize)) {
        self.documents.fetch_sub(documents, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.stored.notify_waiters();
    }

    /// Writes a progress event of a job in a while, unless that was done just now.
    fn progress(self: &Arc<Self>, job: Uuid) {
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.get(&job).is_some_and(|at| at.elapsed() < PROGRESS_LOOK) {
                return;
            }
            looked.retain(|_, at| at.elapsed() < PROGRESS_LOOK);
            looked.insert(job, Instant::now());
        }
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = events::progress(&inner.shared.db, job).await {
                tracing::debug!(%error, %job, "no progress event");
            }
        });
    }
}

/// The task that stores one chunk's documents, for as long as there are any.
struct Storing {
    inner: Arc<Inner>,
    desk: Arc<Desk>,
    chunk: Arc<Chunk>,
    /// Number and bytes of the documents that it is just storing.
    taken: (usize, usize),
    /// Set by an orderly end; what is gathered from then on is another task's.
    has_ended: bool,
}

impl Drop for Storing {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // After a panic or a dropped worker, the chunk must not wait for these documents for ever: its
        // next owner asks again.
        let left = self.chunk.group.give_up();
        let lost = (self.taken.0 + left.0, self.taken.1 + left.1);
        if lost.0 > 0 {
            self.chunk.ended(lost.0, false);
            self.inner.gone(lost);
            self.desk.announce();
        }
    }
}

impl Storing {
    async fn run(mut self) {
        let linger = Duration::from_millis(COMMIT_LINGER_MILLIS);
        loop {
            self.chunk.group.until_due(linger).await;
            // The semaphore is never closed.
            let turn = self.inner.turns.acquire().await;
            let rows = self.chunk.group.take();
            if rows.rows.is_empty() {
                self.has_ended = true;
                return;
            }
            self.taken = (rows.rows.len(), rows.rows.iter().map(bytes).sum());
            let is_stored = self.commit(&rows).await;
            drop(turn);
            drop(rows);
            let taken = std::mem::take(&mut self.taken);
            self.chunk.ended(taken.0, is_stored);
            self.inner.gone(taken);
            self.desk.pace.count(taken.0 as u64);
            self.desk.end_if_over(&self.chunk).await;
            self.desk.announce();
            if is_stored {
                self.inner.progress(self.chunk.job.id);
            }
        }
    }

    /// Stores documents; false when that is not to be.
    async fn commit(&self, group: &Rows) -> bool {
        let key = &self.chunk.lease.key;
        match self.store(group).await {
            Ok(committed) => {
                let accepted = group.rows.iter().filter(|row| row.verdict == Verdict::Accepted);
                let kept =
                    accepted.map(|row| row.seq).filter(|seq| !committed.refused.contains(seq));
                self.chunk.note_accepted(kept);
                self.chunk.job.purse.spend(spent(group), group.rows.len());
                for seq in committed.refused {
                    tracing::warn!(job = %key.job_id, seq, "the database refused a document");
                }
                true
            }
            Err(DbError::Fenced) => {
                self.desk.lose(&self.chunk);
                false
            }
            Err(error) if error.is_retryable() => false,
            Err(error) => {
                // Handed back, the same prompts would be paid for again and end the same way.
                let message = format!("finished documents cannot be stored: {error}");
                tracing::error!(job = %key.job_id, chunk = key.chunk, message);
                let db = &self.inner.shared.db;
                if let Err(error) = jobs::fail(db, key.job_id, NOT_STORED, &message).await {
                    tracing::error!(%error, job = %key.job_id, "cannot fail a job");
                }
                false
            }
        }
    }

    /// Stores documents, trying for a while whatever the database says: they were paid for.
    async fn store(&self, group: &Rows) -> Result<Committed, DbError> {
        let (chunk, db) = (&self.chunk, &self.inner.shared.db);
        let mut pause = COMMIT_RETRY;
        let mut tries = 1;
        loop {
            let stored = until_answered(&chunk.given_up, async || {
                let asked = Instant::now();
                let Rows { rows, bills, .. } = group;
                let key = &chunk.lease.key;
                let stored = documents::commit_group_splitting(db, key, rows, bills).await?;
                // Storing renews the lease.
                chunk.held.renew(asked);
                Ok((stored, asked.elapsed()))
            })
            .await;
            let stored = stored.map(|(stored, took)| {
                let waits = group.since.iter().map(|since| since.elapsed());
                self.inner.shared.commits.stored(took, waits);
                stored
            });
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
}

/// What stored documents cost together.
fn spent(group: &Rows) -> Spent {
    let mut spent = Spent::default();
    for (row, bill) in group.rows.iter().zip(&group.bills) {
        let usages = bill.wasted.iter().map(|paid| &paid.usage).chain([&row.usage]);
        let tokens =
            usages.map(|usage| usage.prompt_tokens.saturating_add(usage.completion_tokens));
        spent.tokens += tokens.fold(0, u64::saturating_add) as f64;
        spent.usd += bill.usd + bill.wasted.iter().map(|paid| paid.usd).sum::<f64>();
        spent.failures += f64::from(u8::from(row.verdict == Verdict::Failed));
    }
    spent
}
