//! Rotary position embedding.

use crate::kernel::Turns;

use super::shape::ModelShape;

/// Cosine and sine of every position and pair of numbers.
pub(super) struct RopeTable {
    turns: Turns,
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
        let turns = (0..positions).flat_map(|position| {
            frequencies.iter().map(move |frequency| {
                let angle = position as f64 * frequency;
                (angle.cos() as f32, angle.sin() as f32)
            })
        });
        Self { turns: Turns::new(shape.rope_pairs, shape.head_dim, turns) }
    }

    /// The table as kernels have it.
    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }
}
