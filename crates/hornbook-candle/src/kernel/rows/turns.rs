//! Rotary embedding: pairs of a head's numbers are turned by angles.

use crate::kernel::lanes::{LANES, Lanes};

/// Which two numbers of a head the rotary embedding turns together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RopePairs {
    /// Numbers 2i and 2i + 1: converters to GGUF reorder Llama's queries and keys so.
    Neighbours,
    /// Numbers i and i + half the head, as GPT-NeoX has it.
    Halves,
}

/// Cosine and sine of every position and pair of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// Of every position, in the order in which they are used: cosine and sine of each pair where
    /// neighbours are turned, else all cosines and then all sines.
    numbers: Vec<f32>,
    head_dim: usize,
    pairs: RopePairs,
}

impl Turns {
    /// Makes the table from cosines and sines, `[positions, head_dim / 2]`.
    pub(crate) fn new(
        pairs: RopePairs,
        head_dim: usize,
        turns: impl Iterator<Item = (f32, f32)>,
    ) -> Self {
        let mut numbers: Vec<f32> = turns.flat_map(<[f32; 2]>::from).collect();
        if pairs == RopePairs::Halves {
            for numbers in numbers.chunks_exact_mut(head_dim) {
                let (cosines, sines) =
                    (numbers.iter().step_by(2), numbers.iter().skip(1).step_by(2));
                let sorted: Vec<f32> = cosines.chain(sines).copied().collect();
                numbers.copy_from_slice(&sorted);
            }
        }
        Self { numbers, head_dim, pairs }
    }

    /// Turns all heads of one row.
    #[inline(always)]
    pub(super) fn turn<L: Lanes>(&self, lanes: L, heads: &mut [f32], position: usize) {
        let turns = &self.numbers[position * self.head_dim..][..self.head_dim];
        for head in heads.chunks_exact_mut(self.head_dim) {
            match self.pairs {
                RopePairs::Neighbours => turn_neighbours(lanes, head, turns),
                RopePairs::Halves => turn_halves(lanes, head, turns),
            }
        }
    }
}

#[inline(always)]
fn turn_neighbours<L: Lanes>(lanes: L, head: &mut [f32], turns: &[f32]) {
    for (numbers, turns) in head.chunks_mut(LANES).zip(turns.chunks(LANES)) {
        let turned = lanes.turn(lanes.load_some(numbers), lanes.load_some(turns));
        lanes.store_some(turned, numbers);
    }
}

#[inline(always)]
fn turn_halves<L: Lanes>(lanes: L, head: &mut [f32], turns: &[f32]) {
    let (lefts, rights) = head.split_at_mut(head.len() / 2);
    let (cosines, sines) = turns.split_at(turns.len() / 2);
    let numbers = lefts.chunks_mut(LANES).zip(rights.chunks_mut(LANES));
    let turns = cosines.chunks(LANES).zip(sines.chunks(LANES));
    for ((lefts, rights), (cosines, sines)) in numbers.zip(turns) {
        let (left, right) = (lanes.load_some(lefts), lanes.load_some(rights));
        let (cosine, sine) = (lanes.load_some(cosines), lanes.load_some(sines));
        let crossed = lanes.multiply(right, sine);
        lanes.store_some(lanes.subtract(lanes.multiply(left, cosine), crossed), lefts);
        lanes.store_some(lanes.fused(right, cosine, lanes.multiply(left, sine)), rights);
    }
}
