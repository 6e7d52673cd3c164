//! The desk: the chunks that this worker has leased, and the next prompt for each endpoint.

mod claim;
mod leases;
mod standing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hornbook_types::Slug;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::chunk::{Chunk, Prompt, Taker};
use super::job::{JobCache, JobRun};
use super::pace::Pace;
use super::puller::Live;
use super::shares::Shares;
use crate::limits::{READY_BYTES, READY_PROMPTS};
use crate::shared::Shared;

/// What this worker has leased.
pub(crate) struct Desk {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pace: Pace,
    pub(crate) shares: Shares,
    /// Told when a job's slice of its budget runs low.
    pub(crate) purses_low: Arc<Notify>,
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
        let purses_low = Arc::new(Notify::new());
        Self {
            jobs: JobCache::new(Arc::clone(&purses_low)),
            purses_low,
            shared,
            pace: Pace::new(),
            shares: Shares::new(),
            abort,
            chunks: Mutex::default(),
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
        self.first_for(endpoint, Chunk::peek).map(|(_, tokens)| tokens)
    }

    /// The next prompt that `endpoint` may serve.
    pub(crate) fn take(&self, endpoint: &Slug) -> Option<(Arc<Chunk>, Prompt)> {
        let (chunk, (prompt, is_low)) = self.first_for(endpoint, Chunk::take)?;
        if is_low {
            self.low.notify_one();
        }
        Some((chunk, prompt))
    }

    /// Prompts on the desk that `endpoint` could send now, rendered or not.
    pub(crate) fn unsent_for(&self, endpoint: &Slug) -> usize {
        let chunks = self.lock();
        let serving = chunks.iter().filter(|chunk| serves(chunk, endpoint));
        serving.map(|chunk| self.as_taker(chunk, endpoint, Chunk::unsent)).sum()
    }

    /// The first answer of a chunk that `endpoint` may serve.
    fn first_for<T>(
        &self,
        endpoint: &Slug,
        ask: impl Fn(&Chunk, &Taker<'_>) -> Option<T>,
    ) -> Option<(Arc<Chunk>, T)> {
        let chunks = self.lock();
        let mut serving = chunks.iter().filter(|chunk| serves(chunk, endpoint));
        serving.find_map(|chunk| {
            self.as_taker(chunk, endpoint, &ask).map(|found| (Arc::clone(chunk), found))
        })
    }

    fn as_taker<T>(
        &self,
        chunk: &Chunk,
        endpoint: &Slug,
        ask: impl Fn(&Chunk, &Taker<'_>) -> T,
    ) -> T {
        let is_left_to_another = |prompt: &Prompt| self.has_another(chunk, prompt);
        ask(chunk, &Taker { endpoint, is_left_to_another: &is_left_to_another })
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

    /// True when prompts of the job lie on the desk.
    pub(crate) fn is_at_work(&self, job: Uuid) -> bool {
        self.lock().iter().any(|chunk| chunk.job.id == job)
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
