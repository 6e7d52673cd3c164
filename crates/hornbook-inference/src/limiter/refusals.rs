//! An endpoint that says no to everything, though it is up.
//!
//! A window of one is still a request after the other, and each that is put off frees its slot for
//! the next prompt: without a pause, an endpoint whose quota of the hour is gone would be asked
//! hundreds of times a second and would gather all of a job's prompts. So each further round that
//! brings nothing but refusals is followed by a pause, twice as long as the one before.

use std::time::Duration;

/// The pause after the second round of refusals; the first is answered by halving alone.
const PAUSE_MILLIS: u64 = 250;
/// Longest pause.
const PAUSE_SECONDS_MAX: u64 = 15;
/// Rounds after which nothing more is expected for now.
const ROUNDS_MAX: u32 = 4;

/// Rounds of refusals since the endpoint last took something.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    rounds: u32,
    /// Requests sent before this belong to a round that was counted.
    counted_at: Duration,
}

impl Refusals {
    /// A request sent at `sent_at` was put off; how long to wait now.
    pub(super) fn refused(&mut self, sent_at: Duration, now: Duration) -> Option<Duration> {
        if sent_at < self.counted_at {
            return None;
        }
        // Strictly after: what was sent in this very moment belongs to the same round.
        self.counted_at = now + Duration::from_nanos(1);
        self.rounds = self.rounds.saturating_add(1);
        let doublings = self.rounds.checked_sub(2)?.min(16);
        let pause = Duration::from_millis(PAUSE_MILLIS << doublings);
        Some(pause.min(Duration::from_secs(PAUSE_SECONDS_MAX)))
    }

    /// The endpoint took a request, whatever it made of it.
    pub(super) fn took(&mut self) {
        self.rounds = 0;
    }

    /// True where nothing but refusals came for rounds.
    pub(super) fn is_all(&self) -> bool {
        self.rounds >= ROUNDS_MAX
    }
}
