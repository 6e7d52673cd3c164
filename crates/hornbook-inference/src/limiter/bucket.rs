//! An even pace: a token bucket that can go into debt and be given back to.
//!
//! `governor`'s buckets are all-or-nothing for what exceeds the burst and take nothing back, so
//! this one is ours: what is wanted in one piece goes as soon as the bucket is as full as it can
//! get, and later takers wait until the debt is paid.

use std::time::Duration;

use super::WINDOW_MILLIS;

/// Units in one cell, so that a nanosecond at a pace of one cell a window is one unit.
const CELL: i128 = WINDOW_MILLIS as i128 * 1_000_000;

/// Fills with `steps` cells a window up to `burst` cells.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: i128,
    burst: i128,
    steps: i128,
    /// Units held; below zero, units owed.
    level: i128,
    filled_at: Duration,
}

impl Bucket {
    /// The bucket for `limit` cells a window, empty at `now`.
    ///
    /// Burst b = max(1, limit/600) cells, then one each window/(limit - b + 1): a whole window
    /// then holds b + (limit - b + 1) - 1 = limit cells at most, where the usual bucket (burst =
    /// limit) lets nearly twice the limit through.
    pub(super) fn empty(limit: u32, now: Duration) -> Self {
        let limit = i128::from(limit);
        let burst = (limit / 600).max(1);
        Self { limit, burst, steps: limit - burst + 1, level: 0, filled_at: now }
    }

    /// As [`empty`](Self::empty), but with a burst in it.
    pub(super) fn full(limit: u32, now: Duration) -> Self {
        let mut bucket = Self::empty(limit, now);
        bucket.level = bucket.burst * CELL;
        bucket
    }

    /// Goes on with another limit; what is in the bucket is lost but for a part of one cell, so
    /// that changes which come faster than cells do not keep cells from coming at all.
    ///
    /// A debt is cut at a window's worth of the new limit: what was owed at a fast pace must not
    /// be paid for hours at a slow one, and the account still knows what was sent.
    pub(super) fn change(&mut self, limit: u32, now: Duration) {
        self.fill(now);
        let level = self.level.clamp(-i128::from(limit) * CELL, CELL - 1);
        *self = Self { level, ..Self::empty(limit, now) };
    }

    /// When `cells` may go: now or later.
    pub(super) fn goes_at(&mut self, now: Duration, cells: u64) -> Duration {
        self.fill(now);
        let missing = i128::from(cells).min(self.burst) * CELL - self.level;
        if missing <= 0 {
            return now;
        }
        let nanos = (missing + self.steps - 1) / self.steps;
        now.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes `cells`; in debt where that is more than there is.
    pub(super) fn take(&mut self, cells: u64) {
        self.give(-i128::from(cells));
    }

    /// Gives `cells` back, or takes them where they are below zero.
    pub(super) fn give(&mut self, cells: i128) {
        let most = self.limit * CELL;
        self.level = self.level.saturating_add(cells.saturating_mul(CELL)).clamp(-most, most);
    }

    fn fill(&mut self, now: Duration) {
        let nanos = now.saturating_sub(self.filled_at).as_nanos();
        self.filled_at = self.filled_at.max(now);
        // What was given back may stand above the burst; time alone never fills beyond it.
        let full = self.burst * CELL;
        if self.level < full {
            let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
            self.level = self.level.saturating_add(nanos.saturating_mul(self.steps)).min(full);
        }
    }
}
