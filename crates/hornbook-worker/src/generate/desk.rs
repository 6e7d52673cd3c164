//! The desk: the chunks that this worker has leased, and the next prompt for each endpoint.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hornbook_db::chunks::{self, Finished, Lease, LeaseToken};
use hornbook_db::leases::Held;
use hornbook_db::{DbError, documents, jobs};
use hornbook_types::limits::CHUNK_KILLER_DEATHS;
use hornbook_types::{JobState, Slug};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::chunk::{Chunk, Prompt};
use super::job::{JobCache, JobFault, JobRun};
use super::pace::Pace;
use super::puller::Live;
use super::shares::Shares;
use super::{budget, prompt, seeds};
use crate::limits::{READY_BYTES, READY_PROMPTS};
use crate::shared::{Shared, until_answered};

/// How long answers of a cancelled job are awaited from remote endpoints.
const CANCEL_DRAIN: Duration = Duration::from_secs(20);

/// What this worker has leased.
pub(crate) struct Desk {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pace: Pace,
    pub(crate) shares: Shares,
    /// Cancelled: what is in flight is given up.
    abort: CancellationToken,
    chunks: Mutex<Vec<Arc<Chunk>>>,
    jobs: JobCache,
    /// Endpoints with a running loop.
    live: Mutex<BTreeMap<Slug, Arc<Live>>>,
    /// What pullers wait for; there is one for each endpoint, so that few are woken.
    changed: watch::Sender<u64>,
    /// Told when there may be something to render.
    low: Notify,
    /// Batches rendered so far.
    batches: AtomicU64,
    /// Leases being taken.
    claims: TaskTracker,
}

impl Desk {
    /// An empty desk.
    pub(crate) fn new(shared: Arc<Shared>, abort: CancellationToken) -> Self {
        Self {
            shared,
            pace: Pace::new(),
            shares: Shares::new(),
            abort,
            chunks: Mutex::default(),
            jobs: JobCache::default(),
            live: Mutex::default(),
            changed: watch::Sender::new(0),
            low: Notify::new(),
            batches: AtomicU64::new(0),
            claims: TaskTracker::new(),
        }
    }

    /// Told whenever there may be something to take that was not there before.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Wakes whoever waits for something to take or to render.
    pub(crate) fn announce(&self) {
        self.changed.send_modify(|version| *version += 1);
        self.low.notify_one();
    }

    /// About how many tokens the prompt may use that [`Desk::take`] would give.
    pub(crate) fn peek(&self, endpoint: &Slug) -> Option<u64> {
        let chunks = self.lock();
        chunks.iter().filter(|chunk| serves(chunk, endpoint)).find_map(|chunk| chunk.peek())
    }

    /// The next prompt that `endpoint` may serve.
    pub(crate) fn take(&self, endpoint: &Slug) -> Option<(Arc<Chunk>, Prompt)> {
        let chunks = self.lock();
        let mut serving = chunks.iter().filter(|chunk| serves(chunk, endpoint));
        let (chunk, (prompt, is_low)) =
            serving.find_map(|chunk| chunk.take().map(|taken| (chunk, taken)))?;
        if is_low {
            self.low.notify_one();
        }
        Some((Arc::clone(chunk), prompt))
    }

    /// Prompts on the desk that `endpoint` could send now, rendered or not.
    pub(crate) fn unsent_for(&self, endpoint: &Slug) -> usize {
        self.lock().iter().filter(|chunk| serves(chunk, endpoint)).map(|chunk| chunk.unsent()).sum()
    }

    /// Most tokens that a prompt on the desk may be answered with for `endpoint`; none where there is no prompt.
    pub(crate) fn most_tokens_for(&self, endpoint: &Slug) -> Option<u64> {
        let chunks = self.lock();
        let serving = chunks.iter().filter(|chunk| serves(chunk, endpoint));
        serving.map(|chunk| u64::from(chunk.job.spec.sampling.max_tokens)).max()
    }

    /// Waits for prompts to render: the chunk that had no turn for longest, and a batch of it.
    pub(crate) async fn next_batch(&self) -> (Arc<Chunk>, Vec<u64>) {
        loop {
            if let Some(batch) = self.begin_batch() {
                return batch;
            }
            self.low.notified().await;
        }
    }

    fn begin_batch(&self) -> Option<(Arc<Chunk>, Vec<u64>)> {
        let chunks = self.lock();
        let (prompts, bytes) = chunks
            .iter()
            .map(|chunk| chunk.ready())
            .fold((0, 0), |sum, ready| (sum.0 + ready.0, sum.1 + ready.1));
        let roomy = prompts < READY_PROMPTS && bytes < READY_BYTES;
        let wanting =
            chunks.iter().filter_map(|chunk| Some((chunk.wants_rendering(roomy)?, chunk)));
        let (_, chunk) = wanting.min_by_key(|(turn, _)| *turn)?;
        let turn = 1 + self.batches.fetch_add(1, Ordering::Relaxed);
        let seqs = chunk.begin_batch(roomy, turn);
        (!seqs.is_empty()).then(|| (Arc::clone(chunk), seqs))
    }

    /// Notes which endpoints have a loop.
    pub(crate) fn set_live(&self, live: BTreeMap<Slug, Arc<Live>>) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// Leases a chunk that `endpoint` may serve; false when there is none.
    ///
    /// In a task of its own: an endpoint's loop may be dropped at any moment, and a lease that was
    /// given but not put on the desk would be nobody's until it ran out.
    pub(crate) async fn claim_apart(
        self: Arc<Self>,
        endpoint: Slug,
        slots: usize,
    ) -> Result<bool, DbError> {
        let desk = Arc::clone(&self);
        let claiming = self.claims.spawn(async move { desk.claim(&endpoint, slots).await });
        match claiming.await {
            Ok(claimed) => claimed,
            Err(error) => Err(DbError::Other(format!("leasing prompts ended badly: {error}"))),
        }
    }

    /// Waits until no lease is being taken any more; call it when no endpoint's loop is left.
    pub(crate) async fn settle(&self) {
        self.claims.close();
        self.claims.wait().await;
    }

    async fn claim(&self, endpoint: &Slug, slots: usize) -> Result<bool, DbError> {
        let shared = &self.shared;
        let names = [endpoint.to_string()];
        let prompts = self.pace.chunk_prompts(slots);
        let Some(lease) = chunks::claim(&shared.db, shared.worker, &names, prompts).await? else {
            return Ok(false);
        };
        let job = match self.jobs.get(&shared.db, lease.key.job_id).await {
            Ok(job) => job,
            Err(JobFault::Database(error)) => {
                chunks::release(&shared.db, lease.key.token).await?;
                return Err(error);
            }
            Err(JobFault::Spec(message)) => {
                jobs::fail(&shared.db, lease.key.job_id, "bad_spec", &message).await?;
                chunks::release(&shared.db, lease.key.token).await?;
                return Ok(false);
            }
        };
        match budget::open(self, &job).await {
            Ok(true) => {}
            outcome => {
                chunks::release(&shared.db, lease.key.token).await?;
                return outcome;
            }
        }
        let (todo, accepted) = match self.todo(&lease).await {
            Ok(found) => found,
            Err(error) => {
                chunks::release(&shared.db, lease.key.token).await?;
                return Err(error);
            }
        };
        let chunk = Arc::new(Chunk::new(lease, job, todo, &accepted));
        if chunk.lease.deaths >= CHUNK_KILLER_DEATHS {
            self.blame_first(&chunk).await?;
        }
        {
            let mut chunks = self.lock();
            if chunks.is_empty() {
                self.pace.resume();
            }
            chunks.push(Arc::clone(&chunk));
        }
        self.announce();
        self.end_if_over(&chunk).await;
        Ok(true)
    }

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

    /// Jobs of which prompts lie on the desk, each once.
    pub(crate) fn jobs_at_work(&self) -> Vec<Arc<JobRun>> {
        let mut jobs: Vec<Arc<JobRun>> = Vec::new();
        for chunk in self.lock().iter() {
            if jobs.iter().all(|job| job.id != chunk.job.id) {
                jobs.push(Arc::clone(&chunk.job));
            }
        }
        jobs
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

    /// Does what the database says of the leases in `asked`.
    pub(crate) async fn obey(&self, asked: &[LeaseToken], held: &[Held]) {
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

    /// Prompts without a document, and those whose documents matter to a quota.
    async fn todo(&self, lease: &Lease) -> Result<(Vec<u64>, Vec<u64>), DbError> {
        let (db, job) = (&self.shared.db, lease.key.job_id);
        if lease.fresh {
            return Ok(((lease.lo..lease.hi).collect(), Vec::new()));
        }
        let accepted = match lease.line_accepted {
            Some(_) => chunks::accepted_seqs(db, job, lease.lo, lease.hi).await?,
            None => Vec::new(),
        };
        Ok((chunks::missing(db, job, lease.lo, lease.hi).await?, accepted))
    }

    /// Owner after owner died on the first missing prompt of this chunk: it fails, by name.
    async fn blame_first(&self, chunk: &Arc<Chunk>) -> Result<(), DbError> {
        let seqs = chunk.begin_batch(false, 0);
        if seqs.is_empty() {
            return Ok(());
        }
        chunk.render_failed();
        let message = format!("{} workers died while they had this prompt", chunk.lease.deaths);
        let blamed = async {
            let found = seeds::of(&self.shared.db, &chunk.job, &seqs).await?;
            let (planned, seed) = found.into_iter().next().ok_or(DbError::NotFound("prompt"))?;
            let seed_data = seed.ok_or(DbError::NotFound("seed"))?.data;
            let document = prompt::failed(&chunk.job, planned, seed_data, "worker_lost", &message);
            let key = &chunk.lease.key;
            documents::commit_group_splitting(&self.shared.db, key, &[document], 0.0).await
        }
        .await;
        chunk.ended(1, blamed.is_ok());
        if let Err(error) = blamed {
            chunks::release(&self.shared.db, chunk.lease.key.token).await?;
            return Err(error);
        }
        Ok(())
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

    /// Jobs on the desk all of whose endpoints here are down, and what is the matter with each.
    pub(crate) fn standing_still(&self) -> BTreeMap<Uuid, String> {
        let chunks = self.all();
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let why = |chunk: &Chunk| {
            let ours: Vec<_> =
                chunk.job.spec.endpoints.iter().filter_map(|name| live.get(name)).collect();
            let is_down = !ours.is_empty() && ours.iter().all(|live| live.limiter.is_down());
            let one = |live: &&Arc<Live>| match live.limiter.last_error() {
                Some(error) => format!("{} is down ({error})", live.name),
                None => format!("{} is down", live.name),
            };
            is_down.then(|| ours.iter().map(one).collect::<Vec<_>>().join("; "))
        };
        chunks.iter().filter_map(|chunk| Some((chunk.job.id, why(chunk)?))).collect()
    }

    fn is_served(&self, chunk: &Chunk) -> bool {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = chunk.job.spec.endpoints.iter();
        names.any(|name| live.contains_key(name) && self.shares.admits(name))
    }

    fn remove(&self, chunk: &Arc<Chunk>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, chunk));
        self.announce();
    }

    fn all(&self) -> Vec<Arc<Chunk>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Chunk>>> {
        // Every change under this lock is a single step, so a panic leaves it whole.
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serves(chunk: &Chunk, endpoint: &Slug) -> bool {
    chunk.job.spec.endpoints.contains(endpoint)
}
