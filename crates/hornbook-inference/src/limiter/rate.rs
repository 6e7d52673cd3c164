//! One limit per minute: an even pace, and the exact account that no pace can overrun.

use std::time::Duration;

use super::account::{Account, slot_of};
use super::bucket::Bucket;

/// Cells that one request was charged, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    slot: u64,
    cells: u64,
}

/// Requests or tokens a minute.
#[derive(Debug)]
pub(super) struct Rate {
    /// What all processes together may use, as far as this one was told: no request counts for more.
    whole: u64,
    limit: Option<u32>,
    bucket: Option<Bucket>,
    account: Account,
}

/// When cells may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Now,
    At(Duration),
    /// Not under this limit.
    Never,
}

impl Rate {
    /// A rate that starts with one burst; `None` is no limit.
    ///
    /// The first limit is the whole one; later ones may be parts of it.
    pub(super) fn new(limit: Option<u32>, now: Duration) -> Self {
        let bucket = limit.filter(|limit| *limit > 0).map(|limit| Bucket::full(limit, now));
        let whole = limit.map_or(0, u64::from);
        Self { whole, limit, bucket, account: Account::default() }
    }

    /// Another limit from now on; the account of the last minute is kept.
    pub(super) fn set_limit(&mut self, limit: Option<u32>, now: Duration) {
        if limit == self.limit {
            return;
        }
        self.limit = limit;
        self.bucket = match (limit.filter(|limit| *limit > 0), self.bucket.take()) {
            (None, _) => None,
            (Some(limit), None) => Some(Bucket::empty(limit, now)),
            (Some(limit), Some(mut bucket)) => {
                bucket.change(limit, now);
                Some(bucket)
            }
        };
    }

    pub(super) fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// When `cells` may be sent; more than the whole limit counts as a whole minute's worth.
    ///
    /// More than the limit of the moment waits until that grows: a part of the whole in which a
    /// request does not fit is not to be overrun by it.
    pub(super) fn ready(&mut self, now: Duration, cells: u64) -> Ready {
        let Some(limit) = self.limit else { return Ready::Now };
        let cells = self.capped(cells);
        let (limit, Some(bucket)) = (u64::from(limit), &mut self.bucket) else {
            return Ready::Never;
        };
        let Some(fits) = self.account.fits_at(now, cells, limit) else { return Ready::Never };
        match fits.max(bucket.goes_at(now, cells)) {
            at if at <= now => Ready::Now,
            at => Ready::At(at),
        }
    }

    /// Charges cells that are `ready`.
    pub(super) fn charge(&mut self, now: Duration, cells: u64) -> Charge {
        let cells = self.capped(cells);
        if let Some(bucket) = &mut self.bucket {
            bucket.take(cells);
        }
        Charge { slot: self.account.enter(slot_of(now), cells), cells }
    }

    /// The request leaves only now, maybe with other `cells`: windows count from the moment of sending.
    pub(super) fn recharge(&mut self, charge: &mut Charge, now: Duration, cells: Option<u64>) {
        let cells = cells.map_or(charge.cells, |cells| self.capped(cells));
        let slot = slot_of(now);
        if (slot, cells) == (charge.slot, charge.cells) {
            return;
        }
        self.give(charge.cells, cells);
        self.account.correct(charge.slot, charge.cells, 0);
        *charge = Charge { slot: self.account.enter(slot, cells), cells };
    }

    /// Puts what was used in the place of what was charged.
    pub(super) fn settle(&mut self, charge: &Charge, used: u64) {
        self.give(charge.cells, used);
        self.account.correct(charge.slot, charge.cells, used);
    }

    /// Cells of the last minute.
    pub(super) fn last_minute(&mut self, now: Duration) -> u64 {
        self.account.cells(now)
    }

    fn capped(&self, cells: u64) -> u64 {
        match self.limit {
            Some(limit) => cells.clamp(1, self.whole.max(u64::from(limit)).max(1)),
            None => cells,
        }
    }

    fn give(&mut self, charged: u64, used: u64) {
        if let Some(bucket) = &mut self.bucket {
            bucket.give(i128::from(charged) - i128::from(used));
        }
    }
}
