//! What happens to every row by itself: norms, rotary embedding, the feed-forward part's gate.

mod gate;
mod heads;
mod norm;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use gate::gate;
pub(in crate::kernel) use heads::SharedHeads;
pub(crate) use heads::{HeadPreparation, HeadRows};
pub(crate) use norm::Norm;
pub(crate) use turns::{RopePairs, Turns};

use crate::kernel::lanes::Lanes;

/// Rows that a thread takes at least: fewer are not worth another thread's waking up.
pub(in crate::kernel) const ROWS_PER_THREAD: usize = 4;

/// `sums += added`; nothing where `added` is empty.
#[inline(always)]
pub(in crate::kernel) fn add<L: Lanes>(lanes: L, sums: &mut [f32], added: &[f32]) {
    if added.is_empty() {
        return;
    }
    let (vectors, rest) = sums.as_chunks_mut();
    let (added, added_rest) = added.as_chunks();
    for (sums, added) in vectors.iter_mut().zip(added) {
        lanes.store(lanes.add(lanes.load(sums), lanes.load(added)), sums);
    }
    for (sum, added) in rest.iter_mut().zip(added_rest) {
        *sum += added;
    }
}
