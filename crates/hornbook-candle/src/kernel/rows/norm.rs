//! Root mean square norm (Zhang and Sennrich, 2019).

use crate::kernel::lanes::{Kernel, LANES, Lanes};
use crate::kernel::{Isa, lanes};

/// Sums of squares that are built up side by side.
const SUMS: usize = 4;

/// What a norm scales with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm<'a> {
    /// `[width]`.
    pub(crate) weight: &'a [f32],
    /// Added to the mean of squares.
    pub(crate) epsilon: f32,
}

impl Norm<'_> {
    /// Writes the norm of one row to `output`.
    pub(crate) fn row(&self, isa: Isa, numbers: &[f32], output: &mut [f32]) {
        output.copy_from_slice(numbers);
        lanes::run(isa, NormRow { norm: self, output });
    }
}

struct NormRow<'a> {
    norm: &'a Norm<'a>,
    output: &'a mut [f32],
}

impl Kernel for NormRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        scale_to_norm(lanes, self.output, self.norm.weight, self.norm.epsilon);
    }
}

/// Scales numbers to a root mean square of one, then by `weight`.
#[inline(always)]
pub(super) fn scale_to_norm<L: Lanes>(lanes: L, numbers: &mut [f32], weight: &[f32], epsilon: f32) {
    let mean = sum_of_squares(lanes, numbers) / numbers.len() as f32;
    let scale = lanes.splat(1.0 / (mean + epsilon).sqrt());
    let (vectors, rest) = numbers.as_chunks_mut();
    let (weights, weight_rest) = weight.as_chunks();
    for (numbers, weight) in vectors.iter_mut().zip(weights) {
        let scaled = lanes.multiply(lanes.load(numbers), scale);
        lanes.store(lanes.multiply(scaled, lanes.load(weight)), numbers);
    }
    if !rest.is_empty() {
        let scaled = lanes.multiply(lanes.load_some(rest), scale);
        lanes.store_some(lanes.multiply(scaled, lanes.load_some(weight_rest)), rest);
    }
}

/// Every 64th number is in one sum; the sums are added in a fixed order.
#[inline(always)]
fn sum_of_squares<L: Lanes>(lanes: L, numbers: &[f32]) -> f32 {
    let mut sums = [lanes.splat(0.0); SUMS];
    let mut rounds = numbers.chunks_exact(SUMS * LANES);
    for round in &mut rounds {
        for (sum, vector) in sums.iter_mut().zip(round.as_chunks().0) {
            let vector = lanes.load(vector);
            *sum = lanes.fused(vector, vector, *sum);
        }
    }
    for (sum, vector) in sums.iter_mut().zip(rounds.remainder().chunks(LANES)) {
        let vector = lanes.load_some(vector);
        *sum = lanes.fused(vector, vector, *sum);
    }
    lanes.sum(lanes.add(lanes.add(sums[0], sums[1]), lanes.add(sums[2], sums[3])))
}
