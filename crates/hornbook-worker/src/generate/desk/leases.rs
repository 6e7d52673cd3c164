//! Keeping leases, losing them, and ending them.

use std::sync::Arc;
use std::time::Duration;

use hornbook_db::chunks::{self, Finished, LeaseToken};
use hornbook_db::leases::Held as StillHeld;
use hornbook_db::{DbError, jobs};
use hornbook_types::JobState;
use tokio::time::Instant;
use uuid::Uuid;

use super::Desk;
use crate::generate::chunk::Chunk;
use crate::limits::LAPSE_LOOK;
use crate::shared::until_answered;

/// How long answers of a cancelled job are awaited from remote endpoints.
const CANCEL_DRAIN: Duration = Duration::from_secs(20);

/// Code of a job that counts other documents than it has.
const CONTRADICTION: &str = "counts_contradict";

impl Desk {
    /// Ends the lease of a chunk of which nothing is unsent or in flight.
    pub(crate) async fn end_if_over(&self, chunk: &Arc<Chunk>) {
        if !chunk.is_over() || !chunk.begin_ending() {
            return;
        }
        let db = &self.shared.db;
        let key = &chunk.lease.key;
        let ended = until_answered(&chunk.given_up, || async {
            if chunk.is_complete() {
                let part = chunk.quota.as_ref().map(|quota| quota.part());
                match chunks::finish_quota(db, key, part.as_ref()).await? {
                    Finished::Done(state) => {
                        tracing::debug!(job = %key.job_id, chunk = key.chunk, state = state.as_str(), "chunk done");
                        return Ok(());
                    }
                    Finished::Missing(prompts) => {
                        tracing::warn!(job = %key.job_id, chunk = key.chunk, prompts, "chunk handed back unfinished");
                    }
                    // Asking again would change nothing, and nor would another worker.
                    Finished::Contradicts(message) => {
                        tracing::error!(job = %key.job_id, message, "job failed");
                        jobs::fail(db, key.job_id, CONTRADICTION, &message).await?;
                    }
                }
            }
            chunks::release(db, key.token).await
        })
        .await;
        match ended {
            Ok(()) | Err(DbError::Fenced) => {}
            // Given up while the database was away: the lease runs out by itself.
            Err(error) if error.is_retryable() => chunk.ending_failed(),
            Err(error) => {
                // Stays on the desk and is tried again with the next heartbeat.
                tracing::error!(%error, job = %key.job_id, chunk = key.chunk, "cannot end a lease");
                chunk.ending_failed();
                return;
            }
        }
        self.remove(chunk);
    }

    /// Sends nothing more of a job and hands back what is left of it.
    pub(crate) async fn hand_back_job(&self, job: Uuid) {
        for chunk in self.all().into_iter().filter(|chunk| chunk.job.id == job) {
            chunk.clear();
            self.end_if_over(&chunk).await;
        }
    }

    /// Leases to keep alive.
    pub(crate) fn tokens(&self) -> Vec<LeaseToken> {
        self.all().iter().map(|chunk| chunk.lease.key.token).collect()
    }

    /// Does what the database says of the leases in `asked`, which was at `asked_at`.
    pub(crate) async fn obey(&self, asked: &[LeaseToken], asked_at: Instant, held: &[StillHeld]) {
        for chunk in self.all() {
            let token = chunk.lease.key.token;
            if asked.contains(&token) && held.iter().any(|held| held.token == token) {
                chunk.held.renew(asked_at);
            }
        }
        for chunk in self.all() {
            let token = chunk.lease.key.token;
            if !asked.contains(&token) {
                continue;
            }
            match held.iter().find(|held| held.token == token).map(|held| held.state) {
                // Not lost but handed back just now, while the heartbeat was on its way.
                None if chunk.is_ending() => {}
                None => self.lose(&chunk),
                Some(JobState::Queued | JobState::Running) if self.is_served(&chunk) => {}
                Some(JobState::Cancelling) => {
                    chunk.clear();
                    self.cancel(&chunk);
                }
                // Paused, ended, or no endpoint serves it that this worker may send to.
                Some(_) => chunk.clear(),
            }
            self.end_if_over(&chunk).await;
        }
    }

    /// Gives up whatever lease was not renewed in time; never returns.
    ///
    /// Requests look at the clock themselves. This is for those that wait for an answer: whoever takes
    /// the chunk over must not ask the same while they do.
    pub(crate) async fn lapse_when_due(&self) {
        loop {
            let now = Instant::now();
            let mut next = now + LAPSE_LOOK;
            for chunk in self.all() {
                match chunk.held.is_over(now) {
                    true => self.lose(&chunk),
                    false => next = next.min(chunk.held.until()),
                }
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// The lease is not ours any more: what comes back under it would be refused.
    pub(crate) fn lose(&self, chunk: &Arc<Chunk>) {
        let key = &chunk.lease.key;
        tracing::warn!(job = %key.job_id, chunk = key.chunk, "lease lost");
        chunk.clear();
        chunk.given_up.cancel();
        self.remove(chunk);
    }

    /// Sends nothing more and waits until nothing is in flight; `abort` gives up the rest.
    pub(crate) async fn drain(&self) {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let chunks = self.all();
            chunks.iter().for_each(|chunk| chunk.clear());
            if self.abort.is_cancelled() {
                chunks.iter().for_each(|chunk| chunk.given_up.cancel());
            }
            if chunks.iter().all(|chunk| chunk.is_over()) {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = self.abort.cancelled(), if !self.abort.is_cancelled() => {}
            }
        }
    }

    /// Ends every lease that is left.
    pub(crate) async fn hand_back(&self) {
        for chunk in self.all() {
            self.end_if_over(&chunk).await;
        }
    }

    fn cancel(&self, chunk: &Arc<Chunk>) {
        if chunk.job_cancelled.is_cancelled() {
            return;
        }
        chunk.job_cancelled.cancel();
        let given_up = chunk.given_up.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(CANCEL_DRAIN) => given_up.cancel(),
                () = given_up.cancelled() => {}
            }
        });
    }
}
