//! A chunk on the desk: its lease, its prompts still to send, and what is in flight.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hornbook_db::chunks::Lease;
use hornbook_db::{Db, DbError, seeds};
use hornbook_prompt::PlannedPrompt;
use hornbook_types::{SeedRecord, limits::CHUNK_OWNER_DEATHS};
use tokio_util::sync::CancellationToken;

use super::job::JobRun;
use crate::limits::SEED_BATCH;

/// A leased chunk.
pub(crate) struct Chunk {
    pub(crate) lease: Lease,
    pub(crate) job: Arc<JobRun>,
    /// Cancelled when the answers are not wanted any more: lease lost, or stopped without drain.
    pub(crate) given_up: CancellationToken,
    /// Cancelled when the job or the chunk is: ends local sequences at once.
    pub(crate) job_cancelled: CancellationToken,
    /// Prompts not sent yet, in order.
    unsent: Mutex<VecDeque<u64>>,
    /// Seeds of the next few of them.
    seeds: tokio::sync::Mutex<BTreeMap<u64, SeedRecord>>,
    /// Sent, and neither stored nor given up.
    in_flight: AtomicUsize,
    /// Prompts that ended without a document, so that the chunk cannot be finished.
    left_over: AtomicU64,
    /// Set once nothing more of it is to be sent.
    closed: AtomicBool,
    /// Set once somebody ends the lease.
    ending: AtomicBool,
}

impl Chunk {
    /// A chunk with these prompts to do.
    pub(crate) fn new(lease: Lease, job: Arc<JobRun>, todo: Vec<u64>) -> Self {
        let given_up = CancellationToken::new();
        Self {
            lease,
            job,
            job_cancelled: given_up.child_token(),
            given_up,
            unsent: Mutex::new(todo.into()),
            seeds: tokio::sync::Mutex::default(),
            in_flight: AtomicUsize::new(0),
            left_over: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    /// True when earlier owners died on it, so that it is run one prompt at a time.
    pub(crate) fn is_solo(&self) -> bool {
        self.lease.deaths >= CHUNK_OWNER_DEATHS
    }

    /// Prompts that could be sent now; at most one where earlier owners died, so that others are leased beside it.
    pub(crate) fn unsent(&self) -> usize {
        let unsent = self.lock().len();
        match self.is_solo() {
            true if self.in_flight.load(Ordering::SeqCst) > 0 => 0,
            true => unsent.min(1),
            false => unsent,
        }
    }

    /// Takes the next prompt; whoever gets it must call [`Chunk::ended`] or [`Chunk::put_back`].
    pub(crate) fn take(&self) -> Option<u64> {
        let mut unsent = self.lock();
        if self.is_solo() && self.in_flight.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let seq = unsent.pop_front()?;
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Some(seq)
    }

    /// Puts a taken prompt back, first in line; one of a cleared chunk is left to the next owner.
    pub(crate) fn put_back(&self, seq: u64) {
        let mut unsent = self.lock();
        if self.closed.load(Ordering::SeqCst) {
            self.left_over.fetch_add(1, Ordering::SeqCst);
        } else {
            unsent.push_front(seq);
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// A taken prompt has ended: its document is stored, or (`stored: false`) there is none.
    pub(crate) fn ended(&self, stored: bool) {
        if !stored {
            self.left_over.fetch_add(1, Ordering::SeqCst);
        }
        // Under the lock, so that `is_over` never sees the moment in between.
        let _unsent = self.lock();
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// Sends nothing more of it; what is in flight goes on.
    pub(crate) fn clear(&self) {
        let mut unsent = self.lock();
        self.closed.store(true, Ordering::SeqCst);
        self.left_over.fetch_add(unsent.len() as u64, Ordering::SeqCst);
        unsent.clear();
    }

    /// True when nothing of it is unsent or in flight.
    pub(crate) fn is_over(&self) -> bool {
        let unsent = self.lock();
        unsent.is_empty() && self.in_flight.load(Ordering::SeqCst) == 0
    }

    /// True when every prompt of it has a document.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_over() && self.left_over.load(Ordering::SeqCst) == 0
    }

    /// True for the one caller that may end the lease.
    pub(crate) fn begin_ending(&self) -> bool {
        !self.ending.swap(true, Ordering::SeqCst)
    }

    /// Ending the lease did not work out; somebody else may try.
    pub(crate) fn ending_failed(&self) {
        self.ending.store(false, Ordering::SeqCst);
    }

    /// The plan's word on `seq`, with its seed; fetches the seeds of the next prompts along with it.
    pub(crate) async fn planned(
        &self,
        db: &Db,
        seq: u64,
    ) -> Result<(PlannedPrompt, SeedRecord), DbError> {
        let plan = self.job.prompter.plan();
        let planned = plan.at(seq);
        let mut ready = self.seeds.lock().await;
        if let Some(seed) = ready.remove(&seq) {
            return Ok((planned, seed));
        }
        let mut seqs = vec![seq];
        seqs.extend(self.lock().iter().take(SEED_BATCH - 1));
        let wanted: Vec<(u64, u64)> =
            seqs.into_iter().map(|seq| (seq, plan.at(seq).seed_seq)).collect();
        let mut numbers: Vec<u64> = wanted.iter().map(|&(_, seed)| seed).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let records = seeds::by_seqs(db, &self.job.spec.seed_set, &numbers).await?;
        let by_number: BTreeMap<u64, SeedRecord> =
            records.into_iter().map(|record| (record.seq, record)).collect();
        ready.clear();
        for (seq, seed) in wanted {
            if let Some(record) = by_number.get(&seed) {
                ready.insert(seq, record.clone());
            }
        }
        let seed = ready.remove(&seq).ok_or(DbError::NotFound("seed"))?;
        Ok((planned, seed))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<u64>> {
        // Every change under this lock is a single step, so a panic leaves it whole.
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
