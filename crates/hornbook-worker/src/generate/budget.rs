//! Budgets: what this worker may still spend of each job, and asking for more before it runs out.
//!
//! A slice is leased from the database with each claim, and again when half of it is gone or a heartbeat
//! has passed, never for a single request. Prompts are charged an estimate when they are taken, the mean
//! of those before them, and what they really cost when their documents are stored. A job of which
//! this worker may spend nothing goes back to those who may.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hornbook_db::budgets::{self, Amount, Slice};
use hornbook_db::{DbError, endpoints};
use hornbook_types::limits::HEARTBEAT_SECONDS;
use hornbook_types::{Document, PinnedJobSpec, Verdict};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::desk::Desk;
use super::job::JobRun;
use crate::limits::{BUDGET_LOOK, BUDGET_PROMPTS, IDLE_INTERVAL, PROMPT_TOKENS_UNKNOWN};

/// Documents over which the mean cost of a prompt is taken, at most.
const MEAN_DOCUMENTS: f64 = 256.0;

/// What this worker may spend on one job.
pub(crate) struct Purse(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Nothing of the job bounds it, or nothing is known yet.
    is_unbounded: bool,
    tokens_left: f64,
    usd_left: f64,
    failures_left: f64,
    /// What was left when the slice was new.
    slice: [f64; 3],
    asked_at: Option<Instant>,
    /// Prompts taken and neither stored nor given up.
    under_way: u64,
    /// Mean cost of a prompt.
    tokens_each: f64,
    usd_each: f64,
    /// Documents behind that mean.
    documents: f64,
}

impl Purse {
    /// A purse of which nothing may be spent before it is filled.
    pub(crate) fn new(spec: &PinnedJobSpec) -> Self {
        let lines = spec.lines.len().max(1) as f64;
        let targets = spec.lines.iter().map(|line| f64::from(line.audience_spec.tokens.max));
        let answer = (targets.sum::<f64>() / lines).min(f64::from(spec.sampling.max_tokens));
        let tokens_each = PROMPT_TOKENS_UNKNOWN + answer;
        Self(Mutex::new(Inner { tokens_each, ..Inner::default() }))
    }

    /// True when a prompt may be taken.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    fn is_bounded(&self) -> bool {
        !self.lock().is_unbounded
    }

    /// A prompt was taken.
    pub(crate) fn take(&self) {
        let mut inner = self.lock();
        inner.under_way += 1;
        inner.tokens_left -= inner.tokens_each;
        inner.usd_left -= inner.usd_each;
    }

    /// So many taken prompts are over; what they cost is told apart, by [`Purse::spend`].
    pub(crate) fn ended(&self, prompts: usize) {
        let mut inner = self.lock();
        inner.under_way = inner.under_way.saturating_sub(prompts as u64);
        inner.tokens_left += inner.tokens_each * prompts as f64;
        inner.usd_left += inner.usd_each * prompts as f64;
    }

    /// What stored documents cost.
    pub(crate) fn spend(&self, rows: &[Document], usd: f64) {
        let used = rows.iter().map(|row| row.usage.prompt_tokens + row.usage.completion_tokens);
        let tokens = used.sum::<u64>() as f64;
        let failed = rows.iter().filter(|row| row.verdict == Verdict::Failed).count();
        let mut inner = self.lock();
        inner.tokens_left -= tokens;
        inner.usd_left -= usd;
        inner.failures_left -= failed as f64;
        let count = rows.len() as f64;
        if count > 0.0 {
            let documents = (inner.documents + count).min(MEAN_DOCUMENTS.max(count));
            let share = count / documents;
            inner.tokens_each += (tokens / count - inner.tokens_each) * share;
            inner.usd_each += (usd / count - inner.usd_each) * share;
            inner.documents = documents;
        }
    }

    /// What is under way, and what the next slice should be.
    fn ask(&self) -> (Amount, Amount) {
        let mut inner = self.lock();
        inner.asked_at = Some(Instant::now());
        let amount = |prompts: f64, failures: u64| Amount {
            tokens: (inner.tokens_each * prompts).ceil() as u64,
            usd: inner.usd_each * prompts,
            failures,
        };
        let wanted = (2 * inner.under_way).max(BUDGET_PROMPTS);
        (amount(inner.under_way as f64, 0), amount(wanted as f64, wanted))
    }

    /// The slice that was given for what was asked.
    fn fill(&self, slice: Slice) {
        let mut inner = self.lock();
        let left = match slice {
            Slice::Unbounded => [f64::INFINITY; 3],
            Slice::Bounded(amount) => [amount.tokens as f64, amount.usd, amount.failures as f64],
        };
        inner.is_unbounded = slice == Slice::Unbounded;
        [inner.tokens_left, inner.usd_left, inner.failures_left] = left;
        inner.slice = left;
    }

    /// Puts an estimate in the place of a price that no document has told yet.
    fn expect(&self, dollars_per_token: f64) {
        let mut inner = self.lock();
        if inner.documents == 0.0 {
            inner.usd_each = inner.tokens_each * dollars_per_token;
        }
    }

    /// True when it is time to ask for the next slice.
    fn is_due(&self) -> bool {
        let inner = self.lock();
        let age = inner.asked_at.map_or(Duration::MAX, |at| at.elapsed());
        let left = [inner.tokens_left, inner.usd_left, inner.failures_left];
        let low = left.iter().zip(&inner.slice).any(|(left, slice)| left * 2.0 < *slice);
        let soon = !inner.is_unbounded && (low || !inner.is_open());
        age >= Duration::from_secs(HEARTBEAT_SECONDS) || (soon && age >= BUDGET_LOOK)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under this lock can panic half way, so what a panic elsewhere leaves is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_open(&self) -> bool {
        self.is_unbounded
            || (self.tokens_left > 0.0 && self.usd_left > 0.0 && self.failures_left > 0.0)
    }
}

/// Leases the next slice of a job's budget; false when this worker may spend nothing of it.
pub(crate) async fn refill(desk: &Desk, job: &JobRun) -> Result<bool, DbError> {
    let (db, worker) = (&desk.shared.db, desk.shared.worker);
    let (under_way, want) = job.purse.ask();
    let slice = budgets::refill(db, job.id, worker, under_way, want).await?;
    job.purse.fill(slice);
    Ok(job.purse.is_open())
}

/// The first slice of a job that this worker has leased prompts of.
pub(crate) async fn open(desk: &Desk, job: &JobRun) -> Result<bool, DbError> {
    if job.purse.is_open() {
        return Ok(true);
    }
    let mut dearest: f64 = 0.0;
    for name in &job.spec.endpoints {
        match endpoints::get(&desk.shared.db, name).await {
            Ok(endpoint) => {
                let price = endpoint.spec.price;
                let per_million = price.input_per_million.max(price.output_per_million);
                dearest = dearest.max(per_million / 1e6);
            }
            Err(DbError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    job.purse.expect(dearest);
    refill(desk, job).await
}

/// Keeps the purses of the desk's jobs filled until `stop`, then gives back what they hold.
pub(crate) async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let mut known: BTreeSet<Uuid> = BTreeSet::new();
    loop {
        let jobs = desk.jobs_at_work();
        for job in &jobs {
            known.insert(job.id);
            if job.purse.is_due() {
                look_after(&desk, job).await;
            }
        }
        let gone: Vec<Uuid> =
            known.iter().filter(|id| jobs.iter().all(|job| job.id != **id)).copied().collect();
        for id in gone {
            known.remove(&id);
            give_back(&desk, id).await;
        }
        let pause = match jobs.iter().any(|job| job.purse.is_bounded()) {
            true => BUDGET_LOOK,
            false => IDLE_INTERVAL,
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    for id in known {
        give_back(&desk, id).await;
    }
}

async fn look_after(desk: &Arc<Desk>, job: &Arc<JobRun>) {
    match refill(desk, job).await {
        Ok(true) => desk.announce(),
        // Others may spend what is left, or nothing is: this worker does not keep them from it.
        Ok(false) => desk.hand_back_job(job.id).await,
        Err(DbError::NotFound(_)) => {}
        Err(error) => tracing::warn!(%error, job = %job.id, "cannot lease a slice of a budget"),
    }
}

async fn give_back(desk: &Desk, job: Uuid) {
    if let Err(error) = budgets::give_back(&desk.shared.db, job, desk.shared.worker).await {
        tracing::debug!(%error, %job, "a slice of a budget runs out by itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purse() -> Purse {
        Purse(Mutex::new(Inner { tokens_each: 100.0, ..Inner::default() }))
    }

    #[test]
    fn closes_when_the_slice_is_taken_and_opens_for_what_comes_back() {
        let purse = purse();
        assert!(!purse.is_open(), "nothing before the first slice");
        purse.fill(Slice::Bounded(Amount { tokens: 250, usd: f64::INFINITY, failures: u64::MAX }));
        for _ in 0..3 {
            assert!(purse.is_open());
            purse.take();
        }
        assert!(!purse.is_open());
        purse.ended(1);
        assert!(purse.is_open(), "one was put back");
        let (under_way, want) = purse.ask();
        assert_eq!((under_way.tokens, want.failures), (200, BUDGET_PROMPTS));
        purse.fill(Slice::Unbounded);
        purse.take();
        assert!(purse.is_open());
    }

    #[test]
    fn an_empty_slice_of_failures_closes_it() {
        let purse = purse();
        purse.fill(Slice::Bounded(Amount { tokens: u64::MAX, usd: f64::INFINITY, failures: 0 }));
        assert!(!purse.is_open());
    }
}
