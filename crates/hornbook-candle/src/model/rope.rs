//! Rotary position embedding.

use crate::LoadError;
use crate::kernel::Turns;

use super::shape::ModelShape;

/// Most memory for the table: 2 million positions of a head of 128 numbers.
const TABLE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Cosine and sine of every position and pair of numbers.
pub(super) struct RopeTable {
    turns: Turns,
}

impl RopeTable {
    /// One factor for every pair divides its frequency; an empty list is all ones.
    ///
    /// Angles are computed as doubles: at position 8000 a float's angle is off by 4e-4.
    pub(super) fn new(
        positions: usize,
        shape: &ModelShape,
        factors: &[f32],
    ) -> Result<Self, LoadError> {
        let pairs = shape.head_dim / 2;
        let bytes = (positions as u64).saturating_mul(shape.head_dim as u64 * 4);
        LoadError::check_limit("the memory for positions, in bytes,", bytes, TABLE_BYTES_MAX)?;
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
        Ok(Self { turns: Turns::new(shape.rope_pairs, shape.head_dim, turns) })
    }

    /// The table as kernels have it.
    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::RopePairs;
    use crate::model::shape::Architecture;

    #[test]
    fn positions_that_take_too_much_memory_are_refused() {
        let shape = ModelShape {
            architecture: Architecture::Llama,
            layers: 1,
            hidden: 512,
            feed_forward: 1,
            heads: 1,
            kv_heads: 1,
            head_dim: 512,
            context_tokens: 16 << 20,
            norm_epsilon: 1e-5,
            rope_base: 10_000.0,
            rope_pairs: RopePairs::Halves,
        };
        for positions in [shape.context_tokens, usize::MAX] {
            let found = RopeTable::new(positions, &shape, &[]);
            assert!(matches!(found, Err(LoadError::TooLarge { .. })), "{positions}");
        }
        assert!(RopeTable::new(16, &shape, &[]).is_ok());
    }
}
