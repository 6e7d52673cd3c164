//! Root mean square norm (Zhang and Sennrich, 2019), and the addition before it.

use std::ops::Range;

use crate::kernel::lanes::{Kernel, LANES, Lanes};
use crate::kernel::shared::SharedSlice;
use crate::kernel::{Crew, lanes};

use super::{ROWS_PER_THREAD, add};

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
    /// Adds `added` to `sums`, row by row, and writes the sums' norms to `output`.
    pub(crate) fn run(&self, crew: Crew<'_>, sums: &mut [f32], added: &[f32], output: &mut [f32]) {
        let width = self.weight.len();
        let sums = &SharedSlice::new(sums);
        crew.team.run_chunks(output, width, ROWS_PER_THREAD, |row, output| {
            let range = row * width..(row + 1) * width;
            let added = &added[range.clone()];
            lanes::run(crew.isa, NormRow { norm: self, sums, range, added, output });
        });
    }
}

struct NormRow<'a> {
    norm: &'a Norm<'a>,
    sums: &'a SharedSlice<'a, f32>,
    range: Range<usize>,
    added: &'a [f32],
    output: &'a mut [f32],
}

impl Kernel for NormRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        // SAFETY: the team gives each row to one thread, once.
        #[expect(unsafe_code, reason = "rows do not overlap")]
        let sums = unsafe { self.sums.part(self.range) };
        add(lanes, sums, self.added);
        self.output.copy_from_slice(sums);
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
