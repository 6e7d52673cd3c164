//! Rendering ahead: prompts are ready before an endpoint has a place for them.
//!
//! A batch is one look for seeds and one blocking task for up to 64 prompts of one chunk. Templates are
//! users' own and have no fuel limit, so every prompt has a deadline: one that outlives it fails alone,
//! and its thread and permit are kept until it ends by itself. Hostile templates can stall each other
//! but never take all threads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hornbook_db::DbError;
use hornbook_prompt::PlannedPrompt;
use hornbook_types::SeedRecord;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::chunk::{Chunk, Prompt};
use super::commit::Committer;
use super::desk::Desk;
use super::job::JobRun;
use super::trials::Trials;
use super::{prompt, seeds};
use crate::limits::{RENDER_BATCH, RENDER_DEADLINE, RENDERS};
use crate::shared::until_answered;

/// Renders batch after batch, wherever prompts run low; never ends by itself.
pub(crate) async fn run(desk: Arc<Desk>, committer: Committer) {
    let threads = Arc::new(Semaphore::new(RENDERS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&threads).acquire_owned().await else { return };
        // Prompts that cannot be rendered are documents too.
        committer.room().await;
        let (chunk, seqs) = desk.next_batch().await;
        let batch = Batch { desk: Arc::clone(&desk), committer: committer.clone(), chunk };
        tokio::spawn(batch.run(seqs, permit));
    }
}

struct Batch {
    desk: Arc<Desk>,
    committer: Committer,
    chunk: Arc<Chunk>,
}

type Planned = (PlannedPrompt, SeedRecord);
type Rendered = Result<String, String>;

impl Batch {
    async fn run(self, seqs: Vec<u64>, permit: OwnedSemaphorePermit) {
        let chunk = &self.chunk;
        let db = &self.desk.shared.db;
        let found = until_answered(&chunk.given_up, || seeds::of(db, &chunk.job, &seqs)).await;
        match found {
            Ok(found) => {
                let mut batch = Vec::with_capacity(found.len());
                for (planned, seed) in found {
                    match seed {
                        Some(seed) => batch.push((planned, seed)),
                        None => self.unreadable(planned, &DbError::NotFound("seed")),
                    }
                }
                self.render(batch, permit).await;
            }
            // Waiting for the database was cut short: nobody wants the answers any more.
            Err(error) if error.is_retryable() => chunk.unrendered(&seqs),
            Err(error) => {
                seqs.iter()
                    .for_each(|&seq| self.unreadable(chunk.job.prompter.plan().at(seq), &error));
            }
        }
        self.desk.end_if_over(&self.chunk).await;
        self.desk.announce();
    }

    /// Not handed back: the next owner would fare no better, and so on for ever.
    fn unreadable(&self, planned: PlannedPrompt, error: &DbError) {
        tracing::error!(%error, job = %self.chunk.job.id, seq = planned.seq, "cannot read a seed");
        let seed = SeedRecord { seq: planned.seed_seq, data: serde_json::Map::new() };
        self.fail((planned, seed), "seed_unreadable", &error.to_string());
    }

    fn fail(&self, (planned, seed): Planned, code: &str, message: &str) {
        self.chunk.render_failed();
        let document = prompt::failed(&self.chunk.job, planned, seed.data, code, message);
        self.committer.store(&self.desk, &self.chunk, document, 0.0);
    }

    async fn render(&self, batch: Vec<Planned>, permit: OwnedSemaphorePermit) {
        let bench = Arc::new(Bench::new(batch));
        let mut work = bench.start(Arc::clone(&self.chunk.job), permit);
        // By then a batch has ended, but for one prompt that takes its time: the others do not wait for it.
        let mut fate = self.await_until(&mut work, 2 * RENDER_BATCH).await;
        if fate.is_none() {
            self.harvest(bench.clear());
            fate = self.await_until(&mut work, RENDER_DEADLINE).await;
        }
        let message = match fate {
            Some(Ok(())) => None,
            Some(Err(panic)) => Some(format!("the template engine gave up: {panic}")),
            None => Some(format!("not rendered within {} s", RENDER_DEADLINE.as_secs())),
        };
        let (rendered, rest) = bench.close();
        self.harvest(rendered);
        let mut rest = rest.into_iter();
        if let Some(message) = message.filter(|_| !self.chunk.given_up.is_cancelled())
            && let Some(culprit) = rest.next()
        {
            self.fail(culprit, "render_failed", &message);
        }
        let rest: Vec<u64> = rest.map(|(planned, _)| planned.seq).collect();
        self.chunk.unrendered(&rest);
    }

    /// How the work ended; `None` when it did not in time, or nobody wants it any more.
    async fn await_until(
        &self,
        work: &mut JoinHandle<()>,
        patience: std::time::Duration,
    ) -> Option<Result<(), tokio::task::JoinError>> {
        tokio::select! {
            ended = work => Some(ended),
            () = tokio::time::sleep(patience) => None,
            () = self.chunk.given_up.cancelled() => None,
        }
    }

    fn harvest(&self, rendered: Vec<(Planned, Rendered)>) {
        if rendered.is_empty() {
            return;
        }
        let mut prompts = Vec::with_capacity(rendered.len());
        for ((planned, seed), outcome) in rendered {
            match outcome {
                Ok(text) => prompts.push(Prompt {
                    planned,
                    seed_data: seed.data,
                    text,
                    trials: Trials::default(),
                }),
                Err(message) => self.fail((planned, seed), "render_failed", &message),
            }
        }
        self.chunk.rendered(prompts);
        self.desk.announce();
    }
}

/// What a blocking task renders, and what it has rendered so far.
struct Bench {
    batch: Mutex<Worked>,
}

#[derive(Default)]
struct Worked {
    /// Still to do; the first is under way.
    todo: std::collections::VecDeque<Arc<Planned>>,
    done: Vec<(Arc<Planned>, Rendered)>,
    closed: bool,
}

impl Bench {
    fn new(batch: Vec<Planned>) -> Self {
        let todo = batch.into_iter().map(Arc::new).collect();
        Self { batch: Mutex::new(Worked { todo, ..Worked::default() }) }
    }

    fn start(self: &Arc<Self>, job: Arc<JobRun>, permit: OwnedSemaphorePermit) -> JoinHandle<()> {
        let bench = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            while let Some(next) = bench.next() {
                let (planned, seed) = &*next;
                let rendered = job.prompter.prompt(planned.seq, seed);
                bench.note(next, rendered.map_err(|error| error.to_string()));
                if began.elapsed() >= RENDER_BATCH {
                    break;
                }
            }
            drop(permit);
        })
    }

    /// The prompt to render now; it stays on the bench until it is done.
    fn next(&self) -> Option<Arc<Planned>> {
        let worked = self.lock();
        worked.todo.front().filter(|_| !worked.closed).cloned()
    }

    fn note(&self, prompt: Arc<Planned>, rendered: Rendered) {
        let mut worked = self.lock();
        if !worked.closed {
            worked.todo.pop_front();
            worked.done.push((prompt, rendered));
        }
    }

    /// Takes what is rendered so far.
    fn clear(&self) -> Vec<(Planned, Rendered)> {
        let done = std::mem::take(&mut self.lock().done);
        done.into_iter()
            .map(|(planned, rendered)| (Arc::unwrap_or_clone(planned), rendered))
            .collect()
    }

    /// Ends the work and takes what is rendered and what is not.
    fn close(&self) -> (Vec<(Planned, Rendered)>, Vec<Planned>) {
        let todo = {
            let mut worked = self.lock();
            worked.closed = true;
            std::mem::take(&mut worked.todo)
        };
        (self.clear(), todo.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Worked> {
        // Nothing under this lock can panic half way, so what a panic elsewhere leaves is whole.
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
