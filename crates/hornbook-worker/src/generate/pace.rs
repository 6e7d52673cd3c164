//! How fast this worker ends prompts, to cut chunks of about half a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hornbook_types::limits::{CHUNK_PROMPTS_MAX, CHUNK_PROMPTS_MIN, CHUNK_TARGET_SECONDS};

use crate::limits::PACE_WINDOW;

/// Prompts ended over the last window.
pub(crate) struct Pace(Mutex<Counted>);

struct Counted {
    since: Instant,
    ended: u64,
    per_second: Option<f64>,
}

impl Pace {
    /// Nothing measured yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counted { since: Instant::now(), ended: 0, per_second: None }))
    }

    /// A prompt ended.
    pub(crate) fn count(&self) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.ended += 1;
        let elapsed = counted.since.elapsed();
        if elapsed >= PACE_WINDOW {
            counted.per_second = Some(counted.ended as f64 / elapsed.as_secs_f64());
            counted.since = Instant::now();
            counted.ended = 0;
        }
    }

    /// How many prompts the next chunk should have, for `slots` that wait for prompts.
    ///
    /// Before a window has passed, two rounds of the slots: a small first chunk costs one more
    /// claim, a large one would keep prompts from other workers.
    pub(crate) fn chunk_prompts(&self, slots: usize) -> u64 {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = match counted.per_second {
            Some(pace) => (pace * CHUNK_TARGET_SECONDS as f64) as u64,
            None => 2 * slots as u64,
        };
        wanted.clamp(CHUNK_PROMPTS_MIN, CHUNK_PROMPTS_MAX)
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
    }
}
