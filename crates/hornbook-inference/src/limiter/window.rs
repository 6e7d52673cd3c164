//! How many requests may be under way: found out by additive increase, multiplicative decrease.
//!
//! A limit that is set is where it starts and the most there ever is. Without one it starts
//! small, doubles each round trip until something speaks against it, and grows by one a round
//! trip from then on. It is halved, at most once a round trip, when the endpoint says that it
//! has too much to do, and when its answers become slow (servers such as vLLM queue silently).

use std::time::Duration;

use super::latency::{Latency, Verdict};
use super::{IN_FLIGHT_AUTO_MAX, IN_FLIGHT_MAX, IN_FLIGHT_START};

/// How long growth rests where it did not pay.
const REST_SECONDS: u64 = 30;
/// A cut that leaves less than this of the answers per second was no cure: not the load made them
/// slow. Half the window makes half as many then, and as many as before where requests queued.
const CURE_RATIO: f64 = 0.75;

/// The requests that may be under way.
#[derive(Debug)]
pub(super) struct Window {
    size: u32,
    ceiling: u32,
    is_fixed: bool,
    /// Doubling, because nothing has spoken against it yet.
    is_slow_start: bool,
    /// Something was cut, so that the size is no longer the ceiling's.
    was_cut: bool,
    /// Answers since it last grew.
    answers: u32,
    /// Requests sent before this are of an earlier size.
    cut_at: Duration,
    rests_until: Duration,
    latency: Latency,
    /// Answers per second and the size before a cut that slow answers led to.
    before_cut: Option<(f64, u32)>,
}

impl Window {
    pub(super) fn adaptive(limit: Option<u32>) -> Self {
        let ceiling = limit.unwrap_or(IN_FLIGHT_AUTO_MAX).min(IN_FLIGHT_MAX);
        Self {
            size: limit.map_or(IN_FLIGHT_START, |_| ceiling),
            ceiling,
            is_fixed: false,
            is_slow_start: true,
            was_cut: false,
            answers: 0,
            cut_at: Duration::ZERO,
            rests_until: Duration::ZERO,
            latency: Latency::default(),
            before_cut: None,
        }
    }

    pub(super) fn fixed(slots: u32) -> Self {
        let slots = slots.clamp(1, IN_FLIGHT_MAX);
        Self { is_fixed: true, ..Self::adaptive(Some(slots)) }
    }

    /// Requests that may be under way.
    pub(super) fn size(&self) -> u32 {
        self.size.min(self.ceiling)
    }

    /// Another limit; a window that nothing has cut goes with it.
    pub(super) fn set_ceiling(&mut self, limit: Option<u32>) {
        self.ceiling = limit.unwrap_or(IN_FLIGHT_AUTO_MAX).min(IN_FLIGHT_MAX);
        // What was found out is kept under a low ceiling, for when it is lifted again.
        if !self.was_cut {
            self.size = match limit {
                Some(_) => self.ceiling.max(1),
                None => self.size.clamp(IN_FLIGHT_START, self.ceiling),
            };
        }
    }

    /// The endpoint, up again, is asked for little at first.
    pub(super) fn restart(&mut self, now: Duration) {
        if self.is_fixed {
            return;
        }
        self.shrink(IN_FLIGHT_START.min(self.size), now);
        self.is_slow_start = true;
        self.latency.rebase(now);
        self.before_cut = None;
    }

    /// The endpoint has too much to do, it says to a request sent at `sent_at`.
    pub(super) fn throttled(&mut self, sent_at: Duration, now: Duration, load: u32) {
        self.cut(sent_at, now, load);
        self.before_cut = None;
    }

    /// An answer came to a request that was sent at `sent_at`, with `load` requests under way.
    pub(super) fn answered(
        &mut self,
        sent_at: Duration,
        now: Duration,
        load: u32,
        latency: Duration,
        tokens: u64,
    ) {
        if self.is_fixed || sent_at < self.cut_at {
            return;
        }
        match self.latency.note(now, load, latency, tokens) {
            Verdict::Fine => {}
            Verdict::Recovered => {
                if self.before_cut.take().is_some() {
                    self.rests_until = now;
                }
            }
            Verdict::Slow(rate) => return self.slowed(rate, sent_at, now, load),
            Verdict::GrewInVain(load) => {
                self.is_slow_start = false;
                self.rests_until = now + Duration::from_secs(REST_SECONDS);
                self.shrink(load.min(self.size), now);
                return;
            }
        }
        self.grow(now, load);
    }

    fn grow(&mut self, now: Duration, load: u32) {
        // Half, because what was sent a round trip ago was sent into half the window.
        let is_used = load >= self.size().div_ceil(2);
        if !is_used || now < self.rests_until || self.size >= self.ceiling {
            return;
        }
        self.answers += 1;
        // One for each answer doubles the window in a round trip, one for a whole window of
        // them adds one.
        if self.is_slow_start || self.answers >= self.size {
            self.size += 1;
            self.answers = 0;
        }
    }

    fn slowed(&mut self, rate: f64, sent_at: Duration, now: Duration, load: u32) {
        match self.before_cut.take() {
            Some((before, size)) if rate < CURE_RATIO * before => {
                self.size = self.size.max(size.min(self.ceiling));
                self.rests_until = now;
                self.latency.rebase(now);
            }
            _ if self.size() > 1 => {
                let size = self.size;
                self.cut(sent_at, now, load);
                self.before_cut = Some((rate, size));
                // What the cut did shows while nothing else changes.
                self.rests_until = now + Duration::from_secs(REST_SECONDS);
            }
            _ => self.latency.rebase(now),
        }
    }

    /// Halves what was under way, once for all requests that were sent before.
    fn cut(&mut self, sent_at: Duration, now: Duration, load: u32) {
        if self.is_fixed || sent_at < self.cut_at {
            return;
        }
        self.is_slow_start = false;
        self.shrink(self.size().min(load) / 2, now);
        self.latency.forget_recent(now);
    }

    fn shrink(&mut self, size: u32, now: Duration) {
        self.size = size.max(1);
        self.was_cut = true;
        self.answers = 0;
        // Strictly after: what was sent in this very moment belongs to the old size.
        self.cut_at = now + Duration::from_nanos(1);
    }
}
