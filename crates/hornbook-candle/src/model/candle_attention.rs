//! Attention over candle's tensors, so that keys and values can lie on another device.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::kernel::{Crew, HeadPreparation, HeadRows, HeadShape, PAGE_POSITIONS, PageId, Position};
use crate::tensors::{matmul, softmax};

use super::attention::Attention;
use super::linear::ComputeError;

/// Positions that are gathered for one group of rows, all rows together.
const GATHERED_POSITIONS_MAX: usize = 65_536;
/// Largest number that a 16-bit float holds.
const HALF_MAX: f32 = 65_504.0;

/// Attention on any device that candle has, with keys and values as 16-bit floats there.
///
/// Queries, keys and values are prepared on the host and cross over once a layer; what was mixed
/// crosses back. Rows are computed together when they attend to equally many pages: then every
/// product has a shape that follows from a row alone, so that its bits do not depend on its
/// neighbours as far as the device's library keeps the order of sums for a shape.
pub(crate) struct CandleAttention {
    shape: HeadShape,
    device: Device,
    layers: Vec<Layer>,
    /// Number of a position that always holds zeros, after those of all pages.
    zeros: u32,
    pass: Pass,
}

/// One layer's keys and values, `[positions of all pages and one more page, kv_width]` each.
struct Layer {
    keys: Tensor,
    values: Tensor,
}

/// What all layers of a pass have in common.
#[derive(Default)]
struct Pass {
    /// Where each row's keys and values go, `[rows, kv_width]`; `None` before the first pass.
    places: Option<Tensor>,
    groups: Vec<Group>,
}

/// Rows that attend to equally many pages.
struct Group {
    /// Their numbers in the pass.
    rows: Vec<usize>,
    /// Positions that each row attends to, whole pages.
    positions: usize,
    /// Where those positions are stored, `[rows x positions]`; zeros after the row's own.
    gathered: Tensor,
    /// Added to the scores, `[rows, 1, 1, positions]`: 0 up to the row's own position, else
    /// negative infinity.
    mask: Tensor,
}

impl CandleAttention {
    /// Room for `pages` pages on a device.
    pub(crate) fn new(
        shape: HeadShape,
        pages: usize,
        device: &Device,
    ) -> candle_core::Result<Self> {
        let positions = (pages + 1) * PAGE_POSITIONS;
        let room = || Tensor::zeros((positions, shape.kv_width()), DType::F16, device);
        let layers = (0..shape.layers)
            .map(|_| Ok(Layer { keys: room()?, values: room()? }))
            .collect::<candle_core::Result<_>>()?;
        let zeros = (pages * PAGE_POSITIONS) as u32;
        Ok(Self { shape, device: device.clone(), layers, zeros, pass: Pass::default() })
    }

    fn plan(&self, rows: &[Position], tables: &[&[PageId]]) -> candle_core::Result<Pass> {
        let width = self.shape.kv_width();
        let places = rows
            .iter()
            .flat_map(|row| std::iter::repeat_n(place(tables[row.sequence], row.position), width))
            .collect();
        let places = Tensor::from_vec(places, (rows.len(), width), &self.device)?;
        let mut by_pages: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            by_pages.entry(row.position / PAGE_POSITIONS + 1).or_default().push(number);
        }
        let mut groups = Vec::new();
        for (pages, numbers) in by_pages {
            let positions = pages * PAGE_POSITIONS;
            for numbers in numbers.chunks((GATHERED_POSITIONS_MAX / positions).max(1)) {
                groups.push(self.group(rows, tables, numbers, positions)?);
            }
        }
        Ok(Pass { places: Some(places), groups })
    }

    fn group(
        &self,
        rows: &[Position],
        tables: &[&[PageId]],
        numbers: &[usize],
        positions: usize,
    ) -> candle_core::Result<Group> {
        let mut gathered = Vec::with_capacity(numbers.len() * positions);
        let mut mask = Vec::with_capacity(numbers.len() * positions);
        for number in numbers {
            let row = rows[*number];
            for position in 0..positions {
                // What lies beyond is another sequence's or stale: no number of it may be read,
                // for infinity times a weight of zero is no number.
                let is_seen = position <= row.position;
                gathered.push(match is_seen {
                    true => place(tables[row.sequence], position),
                    false => self.zeros,
                });
                mask.push(if is_seen { 0.0_f32 } else { f32::NEG_INFINITY });
            }
        }
        Ok(Group {
            rows: numbers.to_vec(),
            positions,
            gathered: Tensor::from_vec(gathered, numbers.len() * positions, &self.device)?,
            mask: Tensor::from_vec(mask, (numbers.len(), 1, 1, positions), &self.device)?,
        })
    }

    fn store(&self, layer: &Layer, heads: &HeadRows<'_>) -> candle_core::Result<()> {
        let Some(places) = &self.pass.places else { return Ok(()) };
        for (numbers, stored) in [(&*heads.keys, &layer.keys), (&*heads.values, &layer.values)] {
            let rows = Tensor::from_slice(numbers, places.shape(), &self.device)?;
            // As the kernels do: one wild number shall not make infinities of a whole sequence.
            let rows = rows.clamp(-HALF_MAX, HALF_MAX)?.to_dtype(DType::F16)?;
            stored.scatter_set(places, &rows, 0)?;
        }
        Ok(())
    }

    /// One group's mixed values, `[rows, heads, head_dim]`.
    fn mix(&self, layer: &Layer, group: &Group, queries: &[f32]) -> candle_core::Result<Vec<f32>> {
        let HeadShape { kv_heads, head_dim, .. } = self.shape;
        let (rows, width) = (group.rows.len(), self.shape.query_width());
        let mut own = Vec::with_capacity(rows * width);
        for row in &group.rows {
            own.extend_from_slice(&queries[row * width..][..width]);
        }
        let own =
            Tensor::from_vec(own, (rows, kv_heads, self.shape.group(), head_dim), &self.device)?;
        let gather = |stored: &Tensor| {
            let found = stored.index_select(&group.gathered, 0)?.to_dtype(DType::F32)?;
            found.reshape((rows, group.positions, kv_heads, head_dim))
        };
        let keys = gather(&layer.keys)?.permute((0, 2, 3, 1))?;
        let values = gather(&layer.values)?.permute((0, 2, 1, 3))?;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let scores = matmul(&own, &keys)?.affine(scale, 0.0)?.broadcast_add(&group.mask)?;
        matmul(&softmax(&scores)?, &values)?.flatten_all()?.to_vec1()
    }
}

/// Where a sequence's position is stored, counted over all pages.
fn place(table: &[PageId], position: usize) -> u32 {
    table[position / PAGE_POSITIONS].0 * PAGE_POSITIONS as u32 + (position % PAGE_POSITIONS) as u32
}

impl Attention for CandleAttention {
    fn begin(&mut self, rows: &[Position], tables: &[&[PageId]]) -> Result<(), ComputeError> {
        self.pass = self.plan(rows, tables)?;
        Ok(())
    }

    fn attend(
        &mut self,
        crew: Crew<'_>,
        layer: usize,
        preparation: &HeadPreparation<'_>,
        mut heads: HeadRows<'_>,
        output: &mut [f32],
    ) -> Result<(), ComputeError> {
        preparation.run(crew, heads.reborrow());
        let layer = &self.layers[layer];
        self.store(layer, &heads)?;
        let width = self.shape.query_width();
        for group in &self.pass.groups {
            let mixed = self.mix(layer, group, heads.queries)?;
            for (row, mixed) in group.rows.iter().zip(mixed.chunks_exact(width)) {
                output[row * width..][..width].copy_from_slice(mixed);
            }
        }
        Ok(())
    }

    fn copy_page(
        &mut self,
        from: PageId,
        to: PageId,
        positions: usize,
    ) -> Result<(), ComputeError> {
        let positions = positions.min(PAGE_POSITIONS);
        let start = |page: PageId| page.0 as usize * PAGE_POSITIONS;
        for layer in &self.layers {
            for stored in [&layer.keys, &layer.values] {
                // A copy of its own: a tensor may not be written while it is read.
                let copied = stored.narrow(0, start(from), positions)?.copy()?;
                stored.slice_set(&copied, 0, start(to))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
