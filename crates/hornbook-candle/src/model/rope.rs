//! Rotary position embedding.

use super::shape::{ModelShape, RopePairs};

/// Cosine and sine of every position and pair of numbers.
pub(super) struct RopeTable {
    /// `[positions, head_dim / 2]`, cosine then sine.
    turns: Vec<(f32, f32)>,
    pairs: usize,
    order: RopePairs,
}

impl RopeTable {
    /// One factor for every pair divides its frequency; an empty list is all ones.
    ///
    /// Angles are computed as doubles: at position 8000 a float's angle is off by 4e-4.
    pub(super) fn new(positions: usize, shape: &ModelShape, factors: &[f32]) -> Self {
        let pairs = shape.head_dim / 2;
        let frequencies: Vec<f64> = (0..pairs)
            .map(|pair| {
                let exponent = -2.0 * pair as f64 / shape.head_dim as f64;
                let factor = factors.get(pair).copied().unwrap_or(1.0);
                f64::from(shape.rope_base).powf(exponent) / f64::from(factor)
            })
            .collect();
        let turns = (0..positions)
            .flat_map(|position| {
                frequencies.iter().map(move |frequency| {
                    let angle = position as f64 * frequency;
                    (angle.cos() as f32, angle.sin() as f32)
                })
            })
            .collect();
        Self { turns, pairs, order: shape.rope_pairs }
    }

    /// Turns all heads of one row.
    pub(super) fn turn(&self, heads: &mut [f32], position: usize) {
        let turns = &self.turns[position * self.pairs..(position + 1) * self.pairs];
        for head in heads.chunks_exact_mut(2 * self.pairs) {
            match self.order {
                RopePairs::Neighbours => {
                    for (pair, turn) in head.chunks_exact_mut(2).zip(turns) {
                        (pair[0], pair[1]) = turned(pair[0], pair[1], *turn);
                    }
                }
                RopePairs::Halves => {
                    let (lefts, rights) = head.split_at_mut(self.pairs);
                    for ((left, right), turn) in lefts.iter_mut().zip(rights).zip(turns) {
                        (*left, *right) = turned(*left, *right, *turn);
                    }
                }
            }
        }
    }
}

fn turned(left: f32, right: f32, (cosine, sine): (f32, f32)) -> (f32, f32) {
    (left * cosine - right * sine, left * sine + right * cosine)
}
