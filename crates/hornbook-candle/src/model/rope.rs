//! Rotary position embedding.

/// Cosine and sine of every position and pair of numbers.
pub(super) struct RopeTable {
    /// `[positions, head_dim / 2]`, cosine then sine.
    turns: Vec<(f32, f32)>,
    pairs: usize,
}

impl RopeTable {
    /// Angles are computed as doubles: at position 8000 a float's angle is off by 4e-4.
    pub(super) fn new(positions: usize, head_dim: usize, base: f32) -> Self {
        let pairs = head_dim / 2;
        let frequencies: Vec<f64> = (0..pairs)
            .map(|pair| f64::from(base).powf(-2.0 * pair as f64 / head_dim as f64))
            .collect();
        let turns = (0..positions)
            .flat_map(|position| {
                frequencies.iter().map(move |frequency| {
                    let angle = position as f64 * frequency;
                    (angle.cos() as f32, angle.sin() as f32)
                })
            })
            .collect();
        Self { turns, pairs }
    }

    /// Turns all heads of one row. Neighbours form a pair: converters to GGUF reorder Llama's
    /// query and key weights so.
    pub(super) fn turn(&self, heads: &mut [f32], position: usize) {
        let turns = &self.turns[position * self.pairs..(position + 1) * self.pairs];
        for head in heads.chunks_exact_mut(2 * self.pairs) {
            for (pair, (cosine, sine)) in head.chunks_exact_mut(2).zip(turns) {
                let (left, right) = (pair[0], pair[1]);
                pair[0] = left * cosine - right * sine;
                pair[1] = left * sine + right * cosine;
            }
        }
    }
}
