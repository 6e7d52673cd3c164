//! Tokens a minute: charged by estimate when a request leaves, corrected when its answer comes.
//!
//! Two things are kept. The *pace* spreads tokens evenly and cannot give any back, so what an
//! answer left unused goes into a credit that later requests draw on first, and what it used too
//! much becomes a debt. The *window* is an exact account of the last minute; it alone keeps
//! credits from adding up to more than the limit.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::WINDOW_MILLIS;
use super::pace::Pace;
use crate::SharedTimer;

/// Width of the slots that the window is accounted in; also how often a waiting request looks
/// whether an answer has given tokens back.
const SLOT_MILLIS: u64 = 100;

pub(super) struct TokenMeter {
    limit: u32,
    pace: Pace,
    account: Mutex<Account>,
    timer: SharedTimer,
}

/// What one request was charged, and in which slot.
pub(super) struct Charge {
    slot: u64,
    tokens: u64,
}

#[derive(Default)]
struct Account {
    /// (slot, tokens) of the window, oldest first; at most one entry per slot.
    slots: VecDeque<(u64, u64)>,
    /// Sum over `slots`.
    tokens: u64,
    /// Cells already paid for (or, below zero, owed) at the pace.
    credit: i64,
}

impl TokenMeter {
    pub(super) fn new(limit: NonZeroU32, timer: SharedTimer) -> Self {
        let pace = Pace::new(limit, timer.clone());
        Self { limit: limit.get(), pace, account: Mutex::default(), timer }
    }

    /// Waits until `estimate` tokens fit and returns how many to enter; one caller at a time.
    pub(super) async fn reserve(&self, estimate: u64) -> u64 {
        let limit = u64::from(self.limit);
        let tokens = estimate.clamp(1, limit);
        self.pay(tokens).await;
        loop {
            let now_slot = self.slot();
            if self.account().has_room(now_slot, tokens, limit) {
                return tokens;
            }
            self.timer.sleep_until(Duration::from_millis((now_slot + 1) * SLOT_MILLIS)).await;
        }
    }

    /// Enters reserved tokens into the window, now that the request leaves.
    pub(super) fn enter(&self, tokens: u64) -> Charge {
        let slot = self.slot();
        self.account().enter(slot, tokens);
        Charge { slot, tokens }
    }

    /// Takes cells at the pace, looking for credit before each piece.
    async fn pay(&self, tokens: u64) {
        let mut owed = tokens;
        loop {
            owed = self.account().draw(owed);
            let piece = u32::try_from(owed).unwrap_or(u32::MAX).min(self.pace.burst());
            if piece == 0 {
                return;
            }
            self.pace.take(piece).await;
            owed -= u64::from(piece);
        }
    }

    /// Replaces the charged estimate by what was used.
    pub(super) fn settle(&self, charge: &Charge, used: u64) {
        let mut account = self.account();
        account.correct(charge, used);
        let limit = i64::from(self.limit);
        let unused = i64::try_from(charge.tokens).unwrap_or(limit).saturating_sub_unsigned(used);
        account.credit = account.credit.saturating_add(unused).clamp(-limit, limit);
    }

    fn slot(&self) -> u64 {
        u64::try_from(self.timer.elapsed().as_millis()).unwrap_or(u64::MAX) / SLOT_MILLIS
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Settles `owed` against the credit and returns what is left to pay, old debt included.
    fn draw(&mut self, owed: u64) -> u64 {
        let left = i64::try_from(owed).unwrap_or(i64::MAX).saturating_sub(self.credit);
        self.credit = (-left).max(0);
        u64::try_from(left).unwrap_or(0)
    }

    /// True when the window has room for `tokens`.
    fn has_room(&mut self, slot: u64, tokens: u64, limit: u64) -> bool {
        // A slot has left the window when its last moment has.
        let window_slots = WINDOW_MILLIS.div_ceil(SLOT_MILLIS) + 1;
        while let Some(&(oldest, spent)) = self.slots.front()
            && oldest + window_slots <= slot
        {
            self.slots.pop_front();
            self.tokens -= spent;
        }
        self.tokens.saturating_add(tokens) <= limit
    }

    fn enter(&mut self, slot: u64, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
        match self.slots.back_mut() {
            Some((newest, spent)) if *newest == slot => *spent = spent.saturating_add(tokens),
            _ => self.slots.push_back((slot, tokens)),
        }
    }

    fn correct(&mut self, charge: &Charge, used: u64) {
        let Ok(at) = self.slots.binary_search_by_key(&charge.slot, |(slot, _)| *slot) else {
            return;
        };
        let spent = &mut self.slots[at].1;
        *spent = (*spent - charge.tokens).saturating_add(used);
        self.tokens = (self.tokens - charge.tokens).saturating_add(used);
    }
}
