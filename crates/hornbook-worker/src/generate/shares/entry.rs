//! One endpoint's share: what to tell the database of it, and the limiters that keep to it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hornbook_db::shares::{Demand, Share, Use};
use hornbook_inference::limiter::Limiter;
use hornbook_types::Slug;
use tokio::time::Instant;

use crate::generate::puller::Live;
use crate::limits::{FORMER_PART, PROMPT_TOKENS_GUESS, QUIET_AFTER};

/// What this worker may use of one endpoint, and who uses it.
pub(super) struct Entry {
    /// The endpoint as its loop has it; none once that ended.
    pub(super) live: Option<Arc<Live>>,
    /// As earlier loops had it, for as long as a request of theirs is under way or to be repeated.
    former: Vec<Weak<Live>>,
    /// When there last was one of those: they take their accounts of the last minute with them.
    former_at: Option<Instant>,
    /// What the database gave last, and the limiters keep to.
    pub(super) held: Share,
    /// The window of a limiter that may send nothing.
    pub(super) ceiling: Option<u32>,
    /// Tokens a minute of all workers together.
    pub(super) whole_tokens: Option<u32>,
    /// Most tokens that a prompt was seen to need since there last were none; 0 before any was seen.
    pub(super) largest: u64,
}

impl Entry {
    pub(super) fn new() -> Self {
        Self {
            live: None,
            former: Vec::new(),
            former_at: None,
            held: Share::NONE,
            ceiling: None,
            whole_tokens: None,
            largest: 0,
        }
    }

    pub(super) fn leave(&mut self) {
        if let Some(live) = self.live.take() {
            self.former.push(Arc::downgrade(&live));
        }
    }

    /// True when it has a loop and no share, or one in which its largest prompt does not fit.
    pub(super) fn lacks_share(&self) -> bool {
        // More than the whole limit counts as the whole limit.
        let need = self.largest.min(self.whole_tokens.map_or(u64::MAX, u64::from));
        let fits = |tokens: u32| u64::from(tokens) >= need;
        self.live.is_some() && !(self.held.admits() && self.held.tokens_per_minute.is_none_or(fits))
    }

    /// Tokens that one request needs, where there are prompts: as many as the largest one that was
    /// seen, or a guess before one was. `answer` is the most that one may be answered with.
    fn need(&mut self, answer: Option<u64>) -> Option<u64> {
        let Some(answer) = answer else {
            // What earlier loops have to send again may be as large.
            if self.former.is_empty() {
                self.largest = 0;
            }
            return None;
        };
        Some(match self.largest {
            0 => answer.saturating_add(PROMPT_TOKENS_GUESS),
            seen => seen.max(answer),
        })
    }

    /// Limiters of earlier loops that are not the newest one's as well.
    fn former(&mut self, now: Instant) -> Vec<Arc<Limiter>> {
        if !self.former.is_empty() {
            self.former_at = Some(now);
        }
        self.former.retain(|live| live.strong_count() > 0);
        let newest = self.live.as_ref().map(|live| &live.limiter);
        let mut former: Vec<Arc<Limiter>> = Vec::new();
        for live in self.former.iter().filter_map(Weak::upgrade) {
            if !former.iter().chain(newest).any(|known| Arc::ptr_eq(known, &live.limiter)) {
                former.push(Arc::clone(&live.limiter));
            }
        }
        former
    }

    /// What to tell the database of it; `answer` is the most tokens that a prompt for it may be
    /// answered with, where there is a prompt.
    pub(super) fn word(&mut self, name: &Slug, answer: Option<u64>, now: Instant) -> Use {
        let need_tokens = self.need(answer);
        let former = self.former(now);
        let newest = self.live.as_ref().map(|live| &live.limiter);
        let all = || newest.into_iter().chain(&former);
        let used: usize = all().map(|limiter| limiter.in_use()).sum();
        let demand = match (newest, self.former.is_empty()) {
            (None, true) => Demand::Leaving,
            (Some(_), true) if used == 0 && need_tokens.is_none() => Demand::Idle,
            _ => Demand::Busy,
        };
        if demand == Demand::Leaving {
            self.held = Share::NONE;
        }
        let is_quiet = used == 0
            && all().all(|limiter| limiter.figures().requests_last_minute == 0)
            && self.former_at.is_none_or(|at| now.duration_since(at) >= QUIET_AFTER);
        Use {
            endpoint: name.clone(),
            demand,
            quiet: is_quiet,
            need_tokens: need_tokens.unwrap_or(0),
            used_in_flight: u32::try_from(used).unwrap_or(u32::MAX),
            held: self.held,
        }
    }

    /// Sets the limiters to the share; those of earlier loops keep enough to end what they began.
    pub(super) fn apply(&mut self, until: Option<Instant>, now: Instant) {
        let former = self.former(now);
        let used: usize = former.iter().map(|limiter| limiter.in_use()).sum();
        let count = u32::try_from(former.len()).unwrap_or(u32::MAX).max(1);
        let used = u32::try_from(used).unwrap_or(u32::MAX).max(count);
        let turn = self.turn(&former, count);
        let (mut rest, mut part) = (self.held, Share::NONE);
        if !former.is_empty() {
            // What is left is all theirs when no newer loop is there.
            let alone = self.live.is_none();
            let cut = |whole: &mut Option<u32>, wanted: fn(u32) -> u32, least: u32, count: u32| {
                let taken = whole.map(|whole| match alone {
                    true => whole,
                    false => wanted(whole).max(least).min(whole),
                });
                *whole = whole.zip(taken).map(|(whole, taken)| whole - taken);
                taken.map(|taken| taken / count)
            };
            let some = |all| all / FORMER_PART;
            let (tokens, sharers) = turn.map_or((1, count), |_| (self.largest(), 1));
            part = Share {
                in_flight: cut(&mut rest.in_flight, |_| 0, used, count),
                requests_per_minute: cut(&mut rest.requests_per_minute, some, 1, count),
                tokens_per_minute: cut(&mut rest.tokens_per_minute, some, tokens, sharers),
            };
        }
        let lasts = until.map(|until| until.saturating_duration_since(now));
        if let Some(live) = &self.live {
            set(&live.limiter, &rest, self.ceiling, lasts);
        }
        for (place, limiter) in former.iter().enumerate() {
            let share = match turn.is_none_or(|turn| turn == place) {
                true => part,
                false => Share { tokens_per_minute: Some(0), ..part },
            };
            set(limiter, &share, self.ceiling, lasts);
        }
    }

    /// The limiter of an earlier loop whose turn it is to have all tokens that those get: something is
    /// to be sent again there, and what each of them would get is too little for it.
    fn turn(&self, former: &[Arc<Limiter>], count: u32) -> Option<usize> {
        let part = if self.live.is_none() { count } else { count.saturating_mul(FORMER_PART) };
        let is_small = self.held.tokens_per_minute.is_some_and(|all| all / part < self.largest());
        former.iter().position(|limiter| is_small && limiter.figures().waiting > 0)
    }

    fn largest(&self) -> u32 {
        u32::try_from(self.largest).unwrap_or(u32::MAX).max(1)
    }
}

/// Sets a limiter to a share.
///
/// One in which nothing may be sent is set by its rates alone: the window keeps what it has learnt.
fn set(limiter: &Limiter, share: &Share, ceiling: Option<u32>, lasts: Option<Duration>) {
    match lasts.filter(|_| share.admits()) {
        Some(lasts) => {
            limiter.set_share(share.in_flight, share.requests_per_minute, share.tokens_per_minute);
            limiter.share_lasts(lasts);
        }
        None => limiter.set_share(ceiling, Some(0), Some(0)),
    }
}
