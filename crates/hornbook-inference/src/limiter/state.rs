//! All that a limiter knows, behind its one lock.

use std::time::Duration;

use super::admission::Outcome;
use super::breaker::{Breaker, Gate};
use super::figures::LimiterFigures;
use super::rate::{Charge, Rate, Ready};
use super::refusals::Refusals;
use super::window::Window;

/// What one process may use of an endpoint's limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) in_flight: Option<u32>,
    pub(super) requests_per_minute: Option<u32>,
    pub(super) tokens_per_minute: Option<u32>,
}

/// What one admission took.
#[derive(Debug)]
pub(super) struct Taken {
    requests: Charge,
    tokens: Charge,
    sent_at: Duration,
    /// Requests under way when it was sent, itself included.
    load: u32,
    /// It counts among those under way.
    has_slot: bool,
    /// It finds out whether the endpoint is up again.
    pub(super) is_probe: bool,
}

/// Why an endpoint is not worth waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// It is left alone but for probes.
    pub(crate) is_down: bool,
    /// It is up and says no to everything.
    pub(crate) is_refusing: bool,
    /// It asked to be left alone for longer than anybody waits with a prompt in hand.
    pub(crate) is_put_off: bool,
}

pub(super) struct State {
    in_use: u32,
    window: Window,
    breaker: Breaker,
    refusals: Refusals,
    requests: Rate,
    tokens: Rate,
    held_until: Duration,
    /// The hold is a long one.
    is_put_off: bool,
    /// Nobody is admitted, whatever the limits say.
    is_full: bool,
    /// When the share ends; never where it is not lent.
    share_until: Duration,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    requests: u64,
    throttled: u64,
    failed: u64,
    tokens: u64,
}

impl State {
    pub(super) fn adaptive(share: Share, now: Duration) -> Self {
        Self::of(Window::adaptive(share.in_flight), share, now)
    }

    pub(super) fn fixed(slots: u32) -> Self {
        let share = Share { in_flight: None, requests_per_minute: None, tokens_per_minute: None };
        Self::of(Window::fixed(slots), share, Duration::ZERO)
    }

    fn of(window: Window, share: Share, now: Duration) -> Self {
        Self {
            in_use: 0,
            window,
            breaker: Breaker::default(),
            refusals: Refusals::default(),
            requests: Rate::new(share.requests_per_minute, now),
            tokens: Rate::new(share.tokens_per_minute, now),
            held_until: Duration::ZERO,
            is_put_off: false,
            is_full: false,
            share_until: Duration::MAX,
            totals: Totals::default(),
        }
    }

    /// Takes all that a request needs, or nothing and says when to look again; `None` is after
    /// the next change.
    pub(super) fn admit(&mut self, now: Duration, tokens: u64) -> Result<Taken, Option<Duration>> {
        if now >= self.share_until || self.is_full {
            return Err(None);
        }
        if now < self.held_until {
            return Err(Some(self.held_until));
        }
        self.is_put_off = false;
        match self.breaker.gate(now) {
            Gate::Pass => {}
            Gate::Wait(until) => return Err(until),
        }
        if self.in_use >= self.window.size() {
            return Err(None);
        }
        match (self.requests.ready(now, 1), self.tokens.ready(now, tokens)) {
            (Ready::Now, Ready::Now) => {}
            (Ready::Never, _) | (_, Ready::Never) => return Err(None),
            (Ready::At(one), Ready::At(other)) => return Err(Some(one.max(other))),
            (Ready::At(at), Ready::Now) | (Ready::Now, Ready::At(at)) => return Err(Some(at)),
        }
        self.in_use += 1;
        self.totals.requests += 1;
        Ok(Taken {
            requests: self.requests.charge(now, 1),
            tokens: self.tokens.charge(now, tokens),
            sent_at: now,
            load: self.in_use,
            has_slot: true,
            is_probe: self.breaker.enter(),
        })
    }

    /// The request leaves now, with these tokens where they are known better.
    pub(super) fn send(&mut self, taken: &mut Taken, now: Duration, tokens: Option<u64>) {
        taken.sent_at = now;
        taken.load = self.in_use;
        self.requests.recharge(&mut taken.requests, now, None);
        self.tokens.recharge(&mut taken.tokens, now, tokens);
    }

    pub(super) fn settle(&mut self, taken: &Taken, tokens: u64) {
        self.tokens.settle(&taken.tokens, tokens);
        self.totals.tokens = self.totals.tokens.saturating_add(tokens);
    }

    pub(super) fn give_back(&mut self, taken: &Taken) {
        self.requests.settle(&taken.requests, 0);
        self.tokens.settle(&taken.tokens, 0);
        self.totals.requests = self.totals.requests.saturating_sub(1);
    }

    /// Another may have its slot, though the admission is not done with.
    pub(super) fn free(&mut self, taken: &mut Taken) {
        // It ran with all that are under way now.
        taken.load = taken.load.max(self.in_use);
        taken.has_slot = false;
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// The admission is gone, and with it its slot.
    pub(super) fn release(&mut self, taken: &Taken, now: Duration) {
        if taken.has_slot {
            self.in_use = self.in_use.saturating_sub(1);
        }
        if taken.is_probe {
            self.breaker.probe_lost(now);
        }
    }

    pub(super) fn report(&mut self, taken: &mut Taken, now: Duration, outcome: Outcome, draw: f64) {
        let is_probe = std::mem::take(&mut taken.is_probe);
        // Of those that were sent together the first went alone, and they all ran together.
        let load = taken.load.max(self.in_use);
        match outcome {
            Outcome::Answered { latency, tokens } => {
                self.came_up(now);
                self.refusals.took();
                self.window.answered(taken.sent_at, now, load, latency, tokens);
            }
            Outcome::Declined => {
                self.came_up(now);
                self.refusals.took();
            }
            Outcome::Throttled { is_unavailable, .. } => {
                self.totals.throttled += 1;
                self.window.throttled(taken.sent_at, now, load);
                match is_unavailable {
                    true => self.breaker.failed(now, is_probe, true, draw),
                    false => self.came_up(now),
                }
                if let Some(pause) = self.refusals.refused(taken.sent_at, now) {
                    self.hold(now.saturating_add(pause.mul_f64(0.75 + 0.5 * draw)));
                }
            }
            Outcome::Failed { is_reached } => {
                self.totals.failed += 1;
                self.breaker.failed(now, is_probe, is_reached, draw);
            }
        }
    }

    /// Something sensible came from the endpoint.
    fn came_up(&mut self, now: Duration) {
        if self.breaker.succeeded() {
            self.window.restart(now);
        }
    }

    pub(super) fn set_share(&mut self, share: Share, now: Duration) {
        self.window.set_ceiling(share.in_flight);
        self.requests.set_limit(share.requests_per_minute, now);
        self.tokens.set_limit(share.tokens_per_minute, now);
    }

    pub(super) fn share_lasts(&mut self, until: Duration) {
        self.share_until = until;
    }

    pub(super) fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    pub(super) fn hold(&mut self, until: Duration) {
        self.held_until = self.held_until.max(until);
    }

    /// The same at the endpoint's own wish; true where that is news and a long time.
    pub(super) fn put_off(&mut self, until: Duration, is_long: bool) -> bool {
        self.hold(until);
        let is_news = is_long && !self.is_put_off;
        self.is_put_off |= is_long;
        is_news
    }

    pub(super) fn in_use(&self) -> usize {
        self.in_use as usize
    }

    pub(super) fn is_down(&self) -> bool {
        !self.breaker.is_closed()
    }

    pub(super) fn trouble(&self) -> Trouble {
        Trouble {
            is_down: self.is_down(),
            is_refusing: self.refusals.is_all(),
            is_put_off: self.is_put_off,
        }
    }

    pub(super) fn window(&self) -> usize {
        let nothing = Some(0);
        if self.requests.limit() == nothing || self.tokens.limit() == nothing {
            return 0;
        }
        let most = if self.is_down() { 1 } else { u32::MAX };
        self.window.size().min(most) as usize
    }

    pub(super) fn figures(&mut self, now: Duration, waiting: u64) -> LimiterFigures {
        let held = self.held_until.saturating_sub(now).as_millis();
        LimiterFigures {
            window: self.window() as u64,
            in_use: u64::from(self.in_use),
            waiting,
            health: self.breaker.health(),
            held_millis: u64::try_from(held).unwrap_or(u64::MAX),
            requests: self.totals.requests,
            throttled: self.totals.throttled,
            failed: self.totals.failed,
            tokens: self.totals.tokens,
            requests_last_minute: self.requests.last_minute(now),
            tokens_last_minute: self.tokens.last_minute(now),
            requests_per_minute: self.requests.limit(),
            tokens_per_minute: self.tokens.limit(),
        }
    }
}
