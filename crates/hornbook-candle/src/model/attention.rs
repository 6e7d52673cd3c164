//! Attention of every row over its own slot's positions.

use rayon::prelude::*;

use super::cache::LayerCache;
use super::forward::Row;
use super::kernel::{HeadGroup, attend};
use super::shape::ModelShape;

/// Each row attends to its slot's positions up to its own, so that chunks of a prompt and
/// single new tokens mix freely; `queries` and `output` are `[rows, heads, head_dim]`.
pub(super) fn attention(
    shape: &ModelShape,
    cache: &LayerCache,
    rows: &[Row],
    queries: &[f32],
    output: &mut [f32],
) {
    let group_width = shape.heads / shape.kv_heads * shape.head_dim;
    let jobs = output.par_chunks_mut(group_width).zip(queries.par_chunks(group_width));
    jobs.enumerate().for_each_init(Vec::new, |weights, (job, (output, queries))| {
        let row = &rows[job / shape.kv_heads];
        let (keys, values) = cache.read(row.slot, job % shape.kv_heads, row.position + 1);
        let group = HeadGroup { queries, keys, values, head_dim: shape.head_dim };
        attend(&group, weights, output);
    });
}
