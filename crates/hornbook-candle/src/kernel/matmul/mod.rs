//! Packed matrices times quantised rows.
//!
//! For every row, output and block of 32 inputs the integer product is exact. Its share of the
//! output is `(product * (weight scale * row scale))`, and where the type has a min,
//! `min * (sum of the row's quants * row scale)`; both are added to one running sum, block after
//! block. So an output's bits are the same whichever rows, tiles and threads are computed
//! together, and the same on all instruction sets that have fused multiplication.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::ops::Range;

use super::pack::{PackedMatrix, TILE_OUTPUTS, TILE_PAIR};
use super::quantise::{QuantisedRows, RowGroup};
use super::{Crew, InstructionSet, Isa};

/// A cache line, in bytes; what one prefetch asks for.
const LINE_BYTES: usize = 64;

/// One matrix and where its products go.
pub(crate) struct Product<'a> {
    /// The matrix.
    pub(crate) matrix: &'a PackedMatrix,
    /// `[rows, outputs]`.
    pub(crate) output: &'a mut [f32],
    /// Whether the products are added to what `output` holds; else they replace it.
    pub(crate) add: bool,
}

/// Multiplies the same rows by several matrices, as one piece of the team's work.
///
/// Every matrix has as many inputs as the rows have numbers.
pub(crate) fn multiply(crew: Crew<'_>, rows: &QuantisedRows, products: &mut [Product<'_>]) {
    let mut units = 0;
    let targets: Vec<Target<'_>> = products
        .iter_mut()
        .map(|Product { matrix, output, add }| {
            assert_eq!(matrix.inputs(), rows.inputs(), "rows of another width");
            assert_eq!(output.len(), rows.rows() * matrix.outputs(), "another number of outputs");
            let first_unit = units;
            units += matrix.tiles() / TILE_PAIR;
            Target { matrix, first_unit, output: output.as_mut_ptr(), rows: rows.rows(), add: *add }
        })
        .collect();
    if rows.rows() == 0 {
        return;
    }
    crew.team.run(units, 1, |range| {
        for target in &targets {
            let Range { start, end } = target.units();
            let units = range.start.max(start)..range.end.min(end);
            if !units.is_empty() {
                let tiles = (units.start - start) * TILE_PAIR..(units.end - start) * TILE_PAIR;
                target.multiply(crew.isa, tiles, rows);
            }
        }
    });
}

/// A matrix and its output, which several threads write: each its own tiles' columns.
struct Target<'a> {
    matrix: &'a PackedMatrix,
    first_unit: usize,
    /// `[rows, matrix.outputs()]`.
    output: *mut f32,
    rows: usize,
    add: bool,
}

// SAFETY: `output` is written only in columns of tiles that the team handed to the writing thread.
#[expect(unsafe_code, reason = "threads write different columns")]
unsafe impl Sync for Target<'_> {}

impl Target<'_> {
    fn units(&self) -> Range<usize> {
        self.first_unit..self.first_unit + self.matrix.tiles() / TILE_PAIR
    }

    /// All rows times an even number of tiles.
    fn multiply(&self, isa: Isa, tiles: Range<usize>, rows: &QuantisedRows) {
        // SAFETY: the features were detected, as `isa` proves.
        #[expect(unsafe_code, reason = "calling code compiled for a detected instruction set")]
        match isa.set() {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512::multiply(self, tiles, rows) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::AvxVnni => unsafe {
                avx2::multiply::<avx2::AvxVnni>(self, tiles, rows);
            },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2::multiply::<avx2::Avx2>(self, tiles, rows) },
            _ => portable::multiply(self, tiles, rows),
        }
    }

    /// Stores a group's sums of one tile. Always inlined, so that it is compiled for the caller's
    /// instruction set.
    #[inline(always)]
    fn store(&self, group: RowGroup<'_>, tile: usize, sums: &[[f32; TILE_OUTPUTS]]) {
        let outputs = self.matrix.outputs();
        let column = tile * TILE_OUTPUTS;
        if column >= outputs {
            return;
        }
        let width = TILE_OUTPUTS.min(outputs - column);
        assert!(group.first + group.rows <= self.rows, "rows of the output");
        for (row, sums) in (group.first..group.first + group.rows).zip(sums) {
            // SAFETY: `width` columns from `column` on and this row, as just checked, lie within the
            // output, whose length `multiply` checked; no other thread has this tile.
            #[expect(unsafe_code, reason = "threads write different columns")]
            let place = unsafe {
                std::slice::from_raw_parts_mut(self.output.add(row * outputs + column), width)
            };
            match (place.first_chunk_mut::<TILE_OUTPUTS>(), self.add) {
                (Some(whole), false) => *whole = *sums,
                (Some(whole), true) => add(whole, sums),
                (None, false) => place.copy_from_slice(&sums[..width]),
                (None, true) => add(place, &sums[..width]),
            }
        }
    }
}

#[inline(always)]
fn add(sums: &mut [f32], addends: &[f32]) {
    for (sum, addend) in sums.iter_mut().zip(addends) {
        *sum += addend;
    }
}

/// Memory that will be read soon, fetched little by little while other memory is computed with.
#[derive(Clone, Copy)]
struct Ahead {
    start: *const u8,
    /// Lines to fetch during one block of 32 inputs.
    lines_per_block: usize,
}

impl Ahead {
    /// Nothing.
    const NONE: Self = Self { start: std::ptr::null(), lines_per_block: 0 };

    /// Share `number` of `shares` of the bytes, within `blocks` blocks.
    fn new(bytes: &[u8], number: usize, shares: usize, blocks: usize) -> Self {
        let lines = bytes.len().div_ceil(LINE_BYTES);
        let lines_per_block = lines.div_ceil(shares * blocks);
        let start = number * lines_per_block * blocks * LINE_BYTES;
        Self { start: bytes.as_ptr().wrapping_add(start), lines_per_block }
    }
}

#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
