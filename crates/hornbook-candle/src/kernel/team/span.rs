//! A thread's share of the units.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an owner takes of its span at once, as a part of what is left: large ranges first, so
/// that few are taken, and small ones last, so that others can help until the end.
const OWNER_SHARE: usize = 4;
/// What another thread takes: with half of it, both end together.
const HELPER_SHARE: usize = 2;

/// Units that nobody has taken. On cache lines of its own, because threads that are busy with
/// their own spans should not wait for each other.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Span {
    /// The first unit in the low half, the end in the high one.
    bounds: AtomicU64,
}

impl Span {
    /// Sets it to those units, at most `u32::MAX`.
    pub(super) fn set(&self, units: Range<usize>) {
        self.bounds.store(pack(&units), Ordering::Relaxed);
    }

    /// Units that are left.
    pub(super) fn len(&self) -> usize {
        unpack(self.bounds.load(Ordering::Relaxed)).len()
    }

    /// Takes some from the front, at least `grain` if there are as many.
    pub(super) fn take_front(&self, grain: usize) -> Option<Range<usize>> {
        self.take(|Range { start, end }| {
            let middle = end.min(start + grain.max((end - start) / OWNER_SHARE));
            (start..middle, middle..end)
        })
    }

    /// Takes some from the back, at least `grain` if there are as many.
    pub(super) fn take_back(&self, grain: usize) -> Option<Range<usize>> {
        self.take(|Range { start, end }| {
            let middle = end - (end - start).min(grain.max((end - start) / HELPER_SHARE));
            (middle..end, start..middle)
        })
    }

    fn take(
        &self,
        split: impl Fn(Range<usize>) -> (Range<usize>, Range<usize>),
    ) -> Option<Range<usize>> {
        let mut bounds = self.bounds.load(Ordering::Relaxed);
        loop {
            let left = unpack(bounds);
            if left.is_empty() {
                return None;
            }
            let (taken, left) = split(left);
            // Only who gets which units is decided here; what they compute with was handed over
            // under the gate.
            match self.bounds.compare_exchange_weak(
                bounds,
                pack(&left),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(taken),
                Err(found) => bounds = found,
            }
        }
    }
}

fn pack(units: &Range<usize>) -> u64 {
    units.start as u64 | (units.end as u64) << 32
}

fn unpack(bounds: u64) -> Range<usize> {
    bounds as u32 as usize..(bounds >> 32) as usize
}
