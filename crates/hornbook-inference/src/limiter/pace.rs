//! An even pace that no window exceeds.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::WINDOW_MILLIS;
use crate::SharedTimer;

/// Lets at most `limit` cells through in any window.
pub(super) struct Pace {
    bucket: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
    burst: NonZeroU32,
    timer: SharedTimer,
}

/// The timer as governor wants to see it.
#[derive(Clone)]
struct Ticks(SharedTimer);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The bucket for `limit` cells a window: a burst of b = max(1, limit/600) cells, then one each
/// window/(limit - b + 1). A whole window then holds b + window/period - 1 = limit cells at most,
/// where the usual bucket (burst = limit) lets nearly twice the limit through.
fn quota(limit: NonZeroU32) -> Option<Quota> {
    let burst = NonZeroU32::new(limit.get() / 600).unwrap_or(NonZeroU32::MIN);
    let steps = u64::from(limit.get() - burst.get()) + 1;
    let period = Duration::from_nanos((WINDOW_MILLIS * 1_000_000).div_ceil(steps));
    Quota::with_period(period).map(|quota| quota.allow_burst(burst))
}

impl Pace {
    pub(super) fn new(limit: NonZeroU32, timer: SharedTimer) -> Self {
        // A period is never zero, so the fallback (slower than asked) is never taken.
        let quota = quota(limit).unwrap_or(Quota::per_hour(NonZeroU32::MIN));
        let bucket = RateLimiter::direct_with_clock(quota, Ticks(timer.clone()));
        Self { bucket, burst: quota.burst_size(), timer }
    }

    /// Most cells that can be taken in one piece.
    pub(super) fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// Waits for `cells`, of which there are at most `burst()`.
    pub(super) async fn take(&self, cells: u32) {
        let Some(cells) = NonZeroU32::new(cells.min(self.burst.get())) else { return };
        // `check_n` has no other error than "more than the burst", which the line above excludes.
        while let Ok(Err(refusal)) = self.bucket.check_n(cells) {
            self.timer.sleep_until(refusal.earliest_possible()).await;
        }
    }
}
