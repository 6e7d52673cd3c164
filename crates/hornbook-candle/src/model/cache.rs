//! Keys and values of every slot's sequence.

use super::ModelShape;

/// Keys and values of one layer, `[slots, kv_heads, positions, head_dim]` each.
pub(super) struct LayerCache {
    keys: Vec<f32>,
    values: Vec<f32>,
    kv_heads: usize,
    positions: usize,
    head_dim: usize,
}

/// Keys and values of all layers: one fixed stretch of positions per slot.
///
/// The memory is bounded by `bytes()` and asked for at once; the operating system commits a
/// page of it when a sequence first gets that far.
pub(crate) struct KvCache {
    pub(super) layers: Vec<LayerCache>,
}

impl KvCache {
    pub(crate) fn new(shape: &ModelShape, slots: usize, positions: usize) -> Self {
        let numbers = slots * shape.kv_heads * positions * shape.head_dim;
        let layers = (0..shape.layers)
            .map(|_| LayerCache {
                keys: vec![0.0; numbers],
                values: vec![0.0; numbers],
                kv_heads: shape.kv_heads,
                positions,
                head_dim: shape.head_dim,
            })
            .collect();
        Self { layers }
    }

    /// Bytes that a cache of these sizes takes at most; `None` when that overflows.
    pub(crate) fn bytes(shape: &ModelShape, slots: usize, positions: usize) -> Option<u64> {
        [2, 4, shape.layers, slots, shape.kv_width(), positions]
            .iter()
            .try_fold(1_u64, |product, factor| product.checked_mul(*factor as u64))
    }
}

impl LayerCache {
    fn start(&self, slot: usize, kv_head: usize) -> usize {
        (slot * self.kv_heads + kv_head) * self.positions * self.head_dim
    }

    /// Stores one row's keys and values, all heads.
    pub(super) fn write(&mut self, slot: usize, position: usize, keys: &[f32], values: &[f32]) {
        let head_dim = self.head_dim;
        for kv_head in 0..self.kv_heads {
            let to = self.start(slot, kv_head) + position * head_dim;
            let from = kv_head * head_dim..(kv_head + 1) * head_dim;
            self.keys[to..to + head_dim].copy_from_slice(&keys[from.clone()]);
            self.values[to..to + head_dim].copy_from_slice(&values[from]);
        }
    }

    /// Keys and values of one head at the first `positions` positions.
    pub(super) fn read(&self, slot: usize, kv_head: usize, positions: usize) -> (&[f32], &[f32]) {
        let start = self.start(slot, kv_head);
        let range = start..start + positions * self.head_dim;
        (&self.keys[range.clone()], &self.values[range])
    }
}
