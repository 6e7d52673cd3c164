//! What this worker may spend on one job, until when, and what it has spent of that.
//!
//! A slice is leased like a chunk: it ends by this machine's own clock, counted from before the
//! question that it answered, so that nobody spends what the database gives to others meanwhile.
//! Prompts are charged the mean of those before them while they are under way, and what they really
//! cost when their documents are stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hornbook_db::budgets::{Amount, Slice};
use hornbook_types::PinnedJobSpec;
use hornbook_types::limits::HEARTBEAT_SECONDS;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::{
    BUDGET_AHEAD, BUDGET_CLOSED_REST, BUDGET_PROMPTS, BUDGET_REST, LEASE_VALID,
    PROMPT_TOKENS_UNKNOWN,
};

/// Documents over which the mean cost of a prompt is taken, at most.
const MEAN_DOCUMENTS: f64 = 256.0;

/// What this worker may spend on one job.
pub(crate) struct Purse {
    inner: Mutex<Inner>,
    /// Told when it is time to ask for the next slice.
    low: Arc<Notify>,
    /// Held while the database is asked: answers must not overtake each other.
    pub(super) asking: tokio::sync::Mutex<()>,
}

/// Something spent, or that may be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    /// Prompt and completion tokens.
    pub(crate) tokens: f64,
    /// US dollars.
    pub(crate) usd: f64,
    /// Failed prompts.
    pub(crate) failures: f64,
}

/// A question for the next slice, and how things stood when it was asked.
pub(crate) struct Question {
    /// What is under way.
    pub(crate) under_way: Amount,
    /// What could be used until the next question.
    pub(crate) want: Amount,
    at: Instant,
    spent: Spent,
}

#[derive(Default)]
struct Inner {
    /// Nothing bounds the job.
    is_unbounded: bool,
    /// What may be spent from the last question on, by what was under way then as well.
    allowance: Spent,
    /// The part of it that was new.
    slice: Spent,
    /// Until when that holds.
    until: Option<Instant>,
    /// What stored documents cost since the last question.
    spent: Spent,
    /// Prompts taken and neither stored nor given up.
    under_way: u64,
    /// Prompts taken since the last question.
    taken: u64,
    asked_at: Option<Instant>,
    /// Answers in a row that left nothing to spend.
    closed: u32,
    /// Mean cost of a prompt.
    tokens_each: f64,
    usd_each: f64,
    /// Documents behind that mean.
    documents: f64,
}

impl Purse {
    /// A purse of which nothing may be spent before it is filled; `low` is told when it should be.
    pub(crate) fn new(spec: &PinnedJobSpec, low: Arc<Notify>) -> Self {
        let lines = spec.lines.len().max(1) as f64;
        let targets = spec.lines.iter().map(|line| f64::from(line.audience_spec.tokens.max));
        let answer = (targets.sum::<f64>() / lines).min(f64::from(spec.sampling.max_tokens));
        Self::of(PROMPT_TOKENS_UNKNOWN + answer, low)
    }

    fn of(tokens_each: f64, low: Arc<Notify>) -> Self {
        let inner = Mutex::new(Inner { tokens_each, ..Inner::default() });
        Self { inner, low, asking: tokio::sync::Mutex::default() }
    }

    /// True when a prompt may be taken.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.lock().is_open(now)
    }

    /// A prompt was taken.
    pub(crate) fn take(&self) {
        let mut inner = self.lock();
        inner.under_way += 1;
        inner.taken += 1;
        self.tell_if_low(&inner);
    }

    /// So many taken prompts are over; what they cost is told apart, by [`Purse::spend`].
    pub(crate) fn ended(&self, prompts: usize) {
        let mut inner = self.lock();
        inner.under_way = inner.under_way.saturating_sub(prompts as u64);
    }

    /// What so many stored documents cost together.
    pub(crate) fn spend(&self, spent: Spent, documents: usize) {
        let mut inner = self.lock();
        inner.spent.tokens += spent.tokens;
        inner.spent.usd += spent.usd;
        inner.spent.failures += spent.failures;
        let count = documents as f64;
        if count > 0.0 {
            let documents = (inner.documents + count).min(MEAN_DOCUMENTS.max(count));
            let share = count / documents;
            inner.tokens_each += (spent.tokens / count - inner.tokens_each) * share;
            inner.usd_each += (spent.usd / count - inner.usd_each) * share;
            inner.documents = documents;
        }
        self.tell_if_low(&inner);
    }

    /// What is under way, and what the next slice should be.
    ///
    /// That is twice what is under way, and a while's worth at the pace of the moment, so that a fast
    /// job need not ask often.
    pub(crate) fn ask(&self, now: Instant) -> Question {
        let mut inner = self.lock();
        let age = inner.asked_at.map(|at| now.duration_since(at).as_secs_f64());
        let pace = age.filter(|age| *age > 0.0).map_or(0.0, |age| inner.taken as f64 / age);
        let ahead = (pace * BUDGET_AHEAD.as_secs_f64()) as u64;
        let wanted = (2 * inner.under_way).max(BUDGET_PROMPTS).max(ahead);
        inner.asked_at = Some(now);
        inner.taken = 0;
        let amount = |prompts: u64, failures: u64| Amount {
            tokens: (inner.tokens_each * prompts as f64).ceil() as u64,
            usd: inner.usd_each * prompts as f64,
            failures,
        };
        Question {
            under_way: amount(inner.under_way, 0),
            want: amount(wanted, wanted),
            at: now,
            spent: inner.spent,
        }
    }

    /// The slice that was given for what was asked; what happened since then is taken from it.
    pub(crate) fn fill(&self, question: &Question, slice: Slice, now: Instant) {
        let mut inner = self.lock();
        inner.is_unbounded = slice == Slice::Unbounded;
        inner.slice = match slice {
            Slice::Unbounded => Spent::ALL,
            Slice::Bounded(amount) => Spent {
                tokens: bound(amount.tokens),
                usd: amount.usd,
                failures: bound(amount.failures),
            },
        };
        inner.allowance = Spent {
            tokens: inner.slice.tokens + question.under_way.tokens as f64,
            usd: inner.slice.usd + question.under_way.usd,
            failures: inner.slice.failures,
        };
        inner.spent.tokens -= question.spent.tokens;
        inner.spent.usd -= question.spent.usd;
        inner.spent.failures -= question.spent.failures;
        // From before the question: the database counts from when it reads it.
        inner.until = Some(question.at + LEASE_VALID);
        inner.closed = if inner.is_open(now) { 0 } else { inner.closed.saturating_add(1) };
    }

    /// Nothing more may be spent: the slice is given back.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.is_unbounded = false;
        (inner.allowance, inner.slice, inner.spent) = Default::default();
        inner.until = None;
    }

    /// Puts an estimate in the place of a price that no document has told yet.
    pub(crate) fn expect(&self, dollars_per_token: f64) {
        let mut inner = self.lock();
        if inner.documents == 0.0 {
            inner.usd_each = inner.tokens_each * dollars_per_token;
        }
    }

    /// How long until the next slice should be asked for; zero for now.
    pub(crate) fn due_in(&self, now: Instant) -> Duration {
        let inner = self.lock();
        let Some(asked_at) = inner.asked_at else { return Duration::ZERO };
        let beat = Duration::from_secs(HEARTBEAT_SECONDS);
        let rest = match inner.closed {
            _ if inner.is_unbounded => beat,
            // What others hold is free when they give it back, and asking takes the job's lock.
            1.. => (BUDGET_CLOSED_REST * 2_u32.pow(inner.closed.min(8) - 1)).min(beat),
            0 if inner.is_low() || !inner.is_open(now) => BUDGET_REST,
            0 => beat,
        };
        (asked_at + rest).saturating_duration_since(now)
    }

    fn tell_if_low(&self, inner: &Inner) {
        if !inner.is_unbounded && inner.closed == 0 && inner.is_low() {
            self.low.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under this lock can panic half way, so what a panic elsewhere leaves is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of which there is no bound when it is the largest there is.
fn bound(number: u64) -> f64 {
    if number == u64::MAX { f64::INFINITY } else { number as f64 }
}

impl Spent {
    const ALL: Self = Self { tokens: f64::INFINITY, usd: f64::INFINITY, failures: f64::INFINITY };

    fn is_any(&self) -> bool {
        self.tokens > 0.0 && self.usd > 0.0 && self.failures > 0.0
    }
}

impl Inner {
    fn left(&self) -> Spent {
        let under_way = self.under_way as f64;
        Spent {
            tokens: self.allowance.tokens - self.spent.tokens - under_way * self.tokens_each,
            usd: self.allowance.usd - self.spent.usd - under_way * self.usd_each,
            failures: self.allowance.failures - self.spent.failures,
        }
    }

    fn is_open(&self, now: Instant) -> bool {
        self.is_unbounded || (self.until.is_some_and(|until| now < until) && self.left().is_any())
    }

    /// True when half of the slice is gone.
    fn is_low(&self) -> bool {
        let (left, slice) = (self.left(), self.slice);
        left.tokens * 2.0 < slice.tokens
            || left.usd * 2.0 < slice.usd
            || left.failures * 2.0 < slice.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purse() -> Purse {
        Purse::of(100.0, Arc::new(Notify::new()))
    }

    fn tokens(tokens: u64) -> Slice {
        Slice::Bounded(Amount { tokens, usd: f64::INFINITY, failures: u64::MAX })
    }

    fn fill(purse: &Purse, slice: Slice, now: Instant) {
        let question = purse.ask(now);
        purse.fill(&question, slice, now);
    }

    fn cost(tokens: f64) -> Spent {
        Spent { tokens, ..Spent::default() }
    }

    #[test]
    fn closes_when_the_slice_is_taken_and_opens_for_what_comes_back() {
        let (purse, now) = (purse(), Instant::now());
        assert!(!purse.is_open(now), "nothing before the first slice");
        fill(&purse, tokens(250), now);
        for _ in 0..3 {
            assert!(purse.is_open(now));
            purse.take();
        }
        assert!(!purse.is_open(now));
        purse.ended(1);
        assert!(purse.is_open(now), "one was put back");
        let question = purse.ask(now);
        assert_eq!((question.under_way.tokens, question.want.failures), (200, BUDGET_PROMPTS));
        purse.fill(&question, Slice::Unbounded, now);
        purse.take();
        assert!(purse.is_open(now));
    }

    #[test]
    fn an_empty_slice_of_failures_closes_it() {
        let (purse, now) = (purse(), Instant::now());
        let slice = Amount { tokens: u64::MAX, usd: f64::INFINITY, failures: 0 };
        fill(&purse, Slice::Bounded(slice), now);
        assert!(!purse.is_open(now));
    }

    #[test]
    fn what_happens_while_the_database_is_asked_counts() {
        let (purse, now) = (purse(), Instant::now());
        fill(&purse, tokens(400), now);
        purse.take();
        let question = purse.ask(now);
        // One that was under way is stored meanwhile, for more than was thought, and two are taken.
        purse.spend(cost(150.0), 0);
        purse.ended(1);
        purse.take();
        purse.take();
        purse.fill(&question, tokens(300), now);
        // 300 are new and 100 were under way: 150 are spent and two of 100 are under way.
        assert_eq!(purse.lock().left().tokens, 50.0);
        purse.take();
        assert!(!purse.is_open(now));
    }

    #[test]
    fn a_slice_ends_by_this_machines_clock() {
        let (purse, asked) = (purse(), Instant::now());
        let question = purse.ask(asked);
        // The answer took its time: it counts from the question.
        let answered = asked + Duration::from_secs(20);
        purse.fill(&question, tokens(1_000_000), answered);
        assert!(purse.is_open(asked + LEASE_VALID - Duration::from_millis(1)));
        assert!(!purse.is_open(asked + LEASE_VALID));
        purse.fill(&question, tokens(1_000_000), asked + LEASE_VALID);
        assert!(!purse.is_open(asked + LEASE_VALID), "an answer that came too late");
    }

    #[test]
    fn what_was_given_back_is_not_spent() {
        let (purse, now) = (purse(), Instant::now());
        fill(&purse, tokens(1_000), now);
        purse.close();
        assert!(!purse.is_open(now));
        fill(&purse, Slice::Unbounded, now);
        purse.close();
        assert!(!purse.is_open(now));
    }

    #[test]
    fn a_fast_job_asks_for_much_and_a_closed_one_asks_rarely() {
        let (purse, begun) = (purse(), Instant::now());
        fill(&purse, tokens(200_000), begun);
        assert_eq!(purse.due_in(begun), Duration::from_secs(HEARTBEAT_SECONDS));
        for _ in 0..1_001 {
            purse.take();
        }
        assert_eq!(purse.due_in(begun), BUDGET_REST, "half of it is gone");
        purse.ended(1_000);
        let question = purse.ask(begun + Duration::from_secs(1));
        assert_eq!(question.want.tokens, 200_200, "two seconds at the pace of the last");

        let mut now = begun + Duration::from_secs(1);
        let mut rests = Vec::new();
        for _ in 0..5 {
            fill(&purse, tokens(0), now);
            // What is under way holds more than there is.
            purse.take();
            rests.push(purse.due_in(now).as_secs());
            now += purse.due_in(now);
        }
        assert_eq!(rests, [1, 2, 4, 5, 5]);
        assert_eq!(purse.due_in(now), Duration::ZERO);
    }
}
