//! An exact account of the last minute, whatever the limit was while it passed.

use std::collections::VecDeque;
use std::time::Duration;

use super::WINDOW_MILLIS;

/// Width of the slots that the minute is kept in.
const SLOT_MILLIS: u64 = 100;
/// Slots that a window touches: a slot has left it when its last moment has.
const WINDOW_SLOTS: u64 = WINDOW_MILLIS.div_ceil(SLOT_MILLIS) + 1;

/// Cells (requests or tokens) of the last window, by the slot of time that they were sent in.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// (slot, cells), oldest first; at most one entry per slot.
    slots: VecDeque<(u64, u64)>,
    /// Sum over `slots`.
    cells: u64,
}

/// The slot that a moment lies in.
pub(super) fn slot_of(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX) / SLOT_MILLIS
}

impl Account {
    /// When `cells` more fit under `limit`: now or later; `None` where they never do.
    pub(super) fn fits_at(&mut self, now: Duration, cells: u64, limit: u64) -> Option<Duration> {
        self.forget(slot_of(now));
        if cells > limit {
            return None;
        }
        let mut over = self.cells.saturating_add(cells).saturating_sub(limit);
        if over == 0 {
            return Some(now);
        }
        for &(slot, spent) in &self.slots {
            over = over.saturating_sub(spent);
            if over == 0 {
                let leaves = slot.saturating_add(WINDOW_SLOTS).saturating_mul(SLOT_MILLIS);
                return Some(Duration::from_millis(leaves));
            }
        }
        None
    }

    /// Cells of the window that ends now.
    pub(super) fn cells(&mut self, now: Duration) -> u64 {
        self.forget(slot_of(now));
        self.cells
    }

    /// Enters cells that are sent at `slot`; gives the slot in which they stand.
    ///
    /// That is a later one where somebody who looked at the clock a little later came first.
    pub(super) fn enter(&mut self, slot: u64, cells: u64) -> u64 {
        self.cells = self.cells.saturating_add(cells);
        match self.slots.back_mut() {
            Some((newest, spent)) if *newest >= slot => {
                *spent = spent.saturating_add(cells);
                *newest
            }
            _ => {
                self.slots.push_back((slot, cells));
                slot
            }
        }
    }

    /// Puts `cells` in the place of the `entered` ones, if their slot is still kept.
    pub(super) fn correct(&mut self, slot: u64, entered: u64, cells: u64) {
        let Ok(at) = self.slots.binary_search_by_key(&slot, |(slot, _)| *slot) else {
            return;
        };
        let spent = &mut self.slots[at].1;
        *spent = spent.saturating_sub(entered).saturating_add(cells);
        self.cells = self.cells.saturating_sub(entered).saturating_add(cells);
    }

    fn forget(&mut self, now_slot: u64) {
        while let Some(&(oldest, spent)) = self.slots.front()
            && oldest.saturating_add(WINDOW_SLOTS) <= now_slot
        {
            self.slots.pop_front();
            self.cells = self.cells.saturating_sub(spent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_corrected_where_it_stands() {
        let mut account = Account::default();
        account.enter(7, 1);
        account.enter(8, 1);
        // Its sender looked at the clock before the others did.
        let slot = account.enter(7, 100);
        account.correct(slot, 100, 10);
        let left = |slot: u64| Duration::from_millis((slot + WINDOW_SLOTS) * SLOT_MILLIS);
        assert_eq!(account.cells(left(6)), 12);
        assert_eq!(account.cells(left(7)), 11, "of the first slot there was one");
        assert_eq!(account.cells(left(8)), 0);
    }
}
