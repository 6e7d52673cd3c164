//! Scores become weights.

use crate::kernel::lanes::{LANES, Lanes};

/// Turns one query's scores into weights, in place, and gives one divided by their sum.
///
/// `scores` has a vector per page; the query's are `first`, `first + step` and so on, and `length`
/// of their lanes count. Weights are `exp(scale * (score - highest score))`, not yet divided by
/// their sum. A score that is no number makes the answer no number, whether or not it is what
/// [`Lanes::highest`] finds: its own weight is none, and so is the sum.
#[inline(always)]
pub(in crate::kernel) fn weigh<L: Lanes>(
    lanes: L,
    scores: &mut [[f32; LANES]],
    (first, step): (usize, usize),
    length: usize,
    scale: f32,
) -> f32 {
    let pages = length.div_ceil(LANES);
    let nothing = lanes.splat(f32::NEG_INFINITY);
    let mut highest = nothing;
    let whole = length / LANES;
    for scores in scores.iter().skip(first).step_by(step).take(whole) {
        highest = lanes.max(highest, lanes.load(scores));
    }
    let (last, rest) = (first + whole * step, length % LANES);
    if rest > 0 {
        highest = lanes.max(highest, lanes.first(rest, lanes.load(&scores[last]), nothing));
    }
    let highest = lanes.splat(lanes.highest(highest));
    let scale = lanes.splat(scale);
    let mut sum = lanes.splat(0.0);
    for (page, scores) in scores.iter_mut().skip(first).step_by(step).take(pages).enumerate() {
        let score = lanes.multiply(lanes.subtract(lanes.load(scores), highest), scale);
        let weight = lanes.exp(score);
        lanes.store(weight, scores);
        let counted = if page < whole { LANES } else { rest };
        sum = lanes.add(sum, lanes.first(counted, weight, lanes.splat(0.0)));
    }
    1.0 / lanes.sum(sum)
}
