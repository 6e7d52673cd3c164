//! Layer norm (Ba, Kiros and Hinton, 2016), and the additions before it.

use crate::kernel::lanes::{Kernel, LANES, Lanes};
use crate::kernel::rows::{ROWS_PER_THREAD, add};
use crate::kernel::{Crew, lanes};

/// What a norm scales with and adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNorm<'a> {
    /// `[width]`.
    pub(crate) weight: &'a [f32],
    /// `[width]`.
    pub(crate) bias: &'a [f32],
    /// Added to the variance.
    pub(crate) epsilon: f32,
}

impl LayerNorm<'_> {
    /// Adds `added`, row by row, and `added_bias` to every row of `rows`, and norms the sums in
    /// place; empty ones add nothing.
    pub(crate) fn run(&self, crew: Crew<'_>, rows: &mut [f32], added: &[f32], added_bias: &[f32]) {
        let width = self.weight.len();
        crew.team.run_chunks(rows, width, ROWS_PER_THREAD, |number, row| {
            let added = if added.is_empty() { added } else { &added[number * width..][..width] };
            lanes::run(crew.isa, NormRow { norm: self, row, added, added_bias });
        });
    }
}

struct NormRow<'a> {
    norm: &'a LayerNorm<'a>,
    row: &'a mut [f32],
    added: &'a [f32],
    added_bias: &'a [f32],
}

impl Kernel for NormRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        let Self { norm, row, added, added_bias } = self;
        add(lanes, row, added);
        add(lanes, row, added_bias);
        let count = row.len() as f32;
        let mean = total(lanes, row, |vector| vector) / count;
        for number in row.iter_mut() {
            *number -= mean;
        }
        let squares = total(lanes, row, |vector| lanes.multiply(vector, vector));
        let scale = lanes.splat(1.0 / (squares / count + norm.epsilon).sqrt());
        let places =
            row.chunks_mut(LANES).zip(norm.weight.chunks(LANES)).zip(norm.bias.chunks(LANES));
        for ((numbers, weight), bias) in places {
            let scaled = lanes.multiply(lanes.load_some(numbers), scale);
            let shifted = lanes.fused(scaled, lanes.load_some(weight), lanes.load_some(bias));
            lanes.store_some(shifted, numbers);
        }
    }
}

/// The sum of what every vector becomes, in one fixed order; `of` keeps zeros.
#[inline(always)]
fn total<L: Lanes>(lanes: L, numbers: &[f32], of: impl Fn(L::Vector) -> L::Vector) -> f32 {
    let mut sum = lanes.splat(0.0);
    for numbers in numbers.chunks(LANES) {
        sum = lanes.add(sum, of(lanes.load_some(numbers)));
    }
    lanes.sum(sum)
}

/// Adds `bias` to every row; rows are as wide as it is.
pub(crate) fn add_to_rows(crew: Crew<'_>, rows: &mut [f32], bias: &[f32]) {
    crew.team.run_chunks(rows, bias.len(), ROWS_PER_THREAD, |_, row| {
        lanes::run(crew.isa, AddRow { row, bias });
    });
}

struct AddRow<'a> {
    row: &'a mut [f32],
    bias: &'a [f32],
}

impl Kernel for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<L: Lanes>(self, lanes: L) {
        add(lanes, self.row, self.bias);
    }
}
