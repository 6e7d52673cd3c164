//! How fast this worker ends prompts, to cut chunks of about half a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hornbook_types::limits::{CHUNK_PROMPTS_MAX, CHUNK_PROMPTS_MIN, CHUNK_TARGET_SECONDS};

use crate::limits::{LEASE_AHEAD, LEASE_AHEAD_PROMPTS, PACE_WINDOW, PACE_WINDOW_FIRST};

/// Prompts ended over the last window.
pub(crate) struct Pace(Mutex<Counted>);

struct Counted {
    since: Instant,
    window: Duration,
    ended: u64,
    per_second: Option<f64>,
}

impl Pace {
    /// Nothing measured yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counted {
            since: Instant::now(),
            window: PACE_WINDOW_FIRST,
            ended: 0,
            per_second: None,
        }))
    }

    /// There are prompts again after a while without: that while does not count.
    pub(crate) fn resume(&self) {
        self.lock().resume(Instant::now());
    }

    /// So many prompts ended.
    pub(crate) fn count(&self, prompts: u64) {
        self.lock().count(prompts, Instant::now());
    }

    /// How many prompts the next chunk should have, for `slots` that wait for prompts.
    ///
    /// Before a window has passed, two rounds of the slots: a small first chunk costs one more
    /// claim, a large one would keep prompts from other workers. And never less than one round: while
    /// answers are slow, few end, and still every slot wants a prompt.
    pub(crate) fn chunk_prompts(&self, slots: usize) -> u64 {
        let wanted = match self.lock().per_second {
            Some(pace) => ((pace * CHUNK_TARGET_SECONDS as f64) as u64).max(slots as u64),
            None => 2 * slots as u64,
        };
        wanted.clamp(CHUNK_PROMPTS_MIN, CHUNK_PROMPTS_MAX)
    }

    /// How many prompts should lie unsent for `slots`: one for each, and what ends while the next
    /// chunk is leased and rendered.
    pub(crate) fn unsent_prompts(&self, slots: usize) -> usize {
        let ahead = self.lock().per_second.unwrap_or(0.0) * LEASE_AHEAD.as_secs_f64();
        slots.max((ahead as usize).min(LEASE_AHEAD_PROMPTS))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn resume(&mut self, now: Instant) {
        self.since = now;
        self.ended = 0;
        self.window = PACE_WINDOW_FIRST;
    }

    fn count(&mut self, prompts: u64, now: Instant) {
        self.ended += prompts;
        let elapsed = now.duration_since(self.since);
        if elapsed < self.window {
            return;
        }
        self.per_second = Some(self.ended as f64 / elapsed.as_secs_f64());
        self.since = now;
        self.ended = 0;
        self.window = (2 * self.window).min(PACE_WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chunks_are_small_and_all_stay_in_bounds() {
        let pace = Pace::new();
        assert_eq!(pace.chunk_prompts(16), 32);
        assert_eq!(pace.chunk_prompts(0), CHUNK_PROMPTS_MIN);
        assert_eq!(pace.chunk_prompts(100_000), CHUNK_PROMPTS_MAX);
        assert_eq!(pace.unsent_prompts(16), 16);
    }

    #[test]
    fn chunks_follow_the_pace() {
        let pace = Pace::new();
        let begun = pace.lock().since;
        pace.lock().count(10, begun + Duration::from_secs(2));
        assert_eq!(pace.chunk_prompts(64), 5 * CHUNK_TARGET_SECONDS);
        assert_eq!(pace.unsent_prompts(64), 64, "slots count for more");
        assert_eq!(pace.unsent_prompts(2), 5, "a second's worth");
        assert_eq!(pace.chunk_prompts(400), 400, "one for each slot, however slow");
        // The second window is longer than the first, so one second is too short for it.
        pace.lock().count(10_000, begun + Duration::from_secs(2) + PACE_WINDOW_FIRST);
        assert_eq!(pace.chunk_prompts(64), 5 * CHUNK_TARGET_SECONDS);
        pace.lock().count(0, begun + Duration::from_secs(4));
        assert_eq!(pace.chunk_prompts(64), CHUNK_PROMPTS_MAX);
        assert_eq!(pace.unsent_prompts(64), LEASE_AHEAD_PROMPTS);
    }

    #[test]
    fn a_while_without_prompts_does_not_count() {
        let pace = Pace::new();
        let begun = pace.lock().since;
        let later = begun + Duration::from_secs(600);
        pace.lock().resume(later);
        pace.lock().count(20, later + Duration::from_secs(1));
        assert_eq!(pace.chunk_prompts(2), 20 * CHUNK_TARGET_SECONDS);
    }
}
