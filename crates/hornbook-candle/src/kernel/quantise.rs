//! Rows of floats as 8-bit integers: one scale per row and 32 numbers.
//!
//! A row's bytes depend on that row alone, so that its products do not depend on its neighbours.
//! Rows that a product computes together lie together: a group's first 32 numbers of all its
//! rows, with what belongs to them, then the next 32.

mod block;

use std::ops::Range;

use super::pack::{BLOCK_INPUTS, Line, bytes_of};
use super::{Crew, InstructionSet, Isa};
use block::Place;

/// Most rows of a group: with 12 sums of 16 outputs and 12 of the block, two tiles leave a few of
/// AVX-512's 32 registers for weights.
pub(super) const GROUP_ROWS: usize = 6;
/// Bytes of one row and block: quants and five numbers.
pub(super) const ROW_BLOCK_BYTES: usize = BLOCK_INPUTS + 5 * 4;

/// Rows that matrices are multiplied by; the memory is kept from one filling to the next.
#[derive(Default)]
pub(crate) struct QuantisedRows {
    rows: usize,
    inputs: usize,
    lines: Vec<Line>,
}

/// Some rows that are computed together.
#[derive(Clone, Copy)]
pub(super) struct RowGroup<'a> {
    /// Number of its first row.
    pub(super) first: usize,
    /// How many rows it has, 1 to `GROUP_ROWS`.
    pub(super) rows: usize,
    /// Its blocks. Each has the rows' quants, 32 bytes each; then the rows' scales; their sums
    /// times scales; and as integers minus the sums of all quants, of the first 16 and the last.
    pub(super) bytes: &'a [u8],
}

/// How many numbers there are and how many are made at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filling {
    /// Rows.
    pub(crate) rows: usize,
    /// Numbers of a row, a multiple of 32.
    pub(crate) inputs: usize,
    /// Parts that a row is made in; each is a multiple of 32 numbers.
    pub(crate) parts: usize,
    /// Fewest parts that one thread makes at once.
    pub(crate) grain: usize,
}

/// Fewest numbers that one thread makes at once, about.
const NUMBERS_PER_THREAD: usize = 2_048;
/// Fewest rows that one thread quantises at once: fewer are not worth another's waking up.
const ROWS_PER_THREAD: usize = 4;

impl Filling {
    /// Rows that may be made in parts.
    pub(crate) fn of(rows: usize, inputs: usize) -> Self {
        let blocks = inputs / BLOCK_INPUTS;
        let most = inputs.div_ceil(NUMBERS_PER_THREAD);
        let parts = (1..=most).rev().find(|parts| blocks.is_multiple_of(*parts)).unwrap_or(1);
        let grain = NUMBERS_PER_THREAD.div_ceil((inputs / parts).max(1));
        Self { rows, inputs, parts, grain }
    }

    /// Whole rows, made one at a time.
    pub(crate) fn whole_rows(rows: usize, inputs: usize) -> Self {
        Self { rows, inputs, parts: 1, grain: ROWS_PER_THREAD }
    }
}

impl QuantisedRows {
    /// Makes rows and quantises them: `make` is called once with every row, part of it and the
    /// place for that part's numbers, on all threads.
    pub(crate) fn fill(
        &mut self,
        crew: Crew<'_>,
        filling: Filling,
        make: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) {
        let writer = self.resize(filling);
        let width = filling.inputs / filling.parts;
        crew.team.run(filling.rows * filling.parts, filling.grain, |units| {
            let mut numbers = vec![0.0; width];
            for unit in units {
                let (row, part) = (unit / filling.parts, unit % filling.parts);
                make(row, part, &mut numbers);
                // SAFETY: the team hands out every unit once, and units are different parts.
                #[expect(unsafe_code, reason = "parts are written by one thread each")]
                unsafe {
                    writer.write(crew.isa, row, part * (width / BLOCK_INPUTS), &numbers);
                }
            }
        });
    }

    /// Quantises rows that lie in memory, `[rows, inputs]`, in `filling.parts` parts each.
    pub(crate) fn copy(&mut self, crew: Crew<'_>, filling: Filling, input: &[f32]) {
        assert_eq!(input.len(), filling.rows * filling.inputs, "rows of numbers");
        let writer = self.resize(filling);
        let width = filling.inputs / filling.parts;
        crew.team.run(filling.rows * filling.parts, filling.grain, |units| {
            for unit in units {
                let (row, part) = (unit / filling.parts, unit % filling.parts);
                let numbers = &input[unit * width..][..width];
                // SAFETY: the team hands out every unit once, and units are different parts.
                #[expect(unsafe_code, reason = "parts are written by one thread each")]
                unsafe {
                    writer.write(crew.isa, row, part * (width / BLOCK_INPUTS), numbers);
                }
            }
        });
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The groups, in the order of their rows.
    pub(super) fn groups(&self) -> impl ExactSizeIterator<Item = RowGroup<'_>> {
        let row_bytes = self.inputs / BLOCK_INPUTS * ROW_BLOCK_BYTES;
        let groups = Groups::of(self.rows);
        (0..groups.count).map(move |number| {
            let Range { start, end } = groups.rows(number);
            let bytes = &bytes_of(&self.lines)[start * row_bytes..end * row_bytes];
            RowGroup { first: start, rows: end - start, bytes }
        })
    }

    /// A row as floats again, which is what products compute with.
    #[cfg(test)]
    pub(super) fn row(&self, row: usize) -> Vec<f32> {
        let group = self.groups().find(|group| row < group.first + group.rows);
        let RowGroup { first, rows, bytes } = group.expect("there is such a row");
        let place = row - first;
        let blocks = bytes.chunks_exact(rows * ROW_BLOCK_BYTES);
        let numbers = blocks.flat_map(|block| {
            let scale = &block[rows * BLOCK_INPUTS + place * 4..][..4];
            let scale = f32::from_le_bytes(scale.try_into().expect("four bytes"));
            let quants = &block[place * BLOCK_INPUTS..][..BLOCK_INPUTS];
            quants.iter().map(move |quant| f32::from(*quant as i8) * scale)
        });
        numbers.collect()
    }

    fn resize(&mut self, filling: Filling) -> Writer {
        let Filling { rows, inputs, parts, .. } = filling;
        assert!(parts > 0 && inputs.is_multiple_of(parts * BLOCK_INPUTS), "parts are whole blocks");
        let bytes = rows * (inputs / BLOCK_INPUTS) * ROW_BLOCK_BYTES;
        (self.rows, self.inputs) = (rows, inputs);
        self.lines.resize(bytes.div_ceil(size_of::<Line>()), Line::ZERO);
        let start = self.lines.as_mut_ptr().cast();
        Writer { start, blocks: inputs / BLOCK_INPUTS, groups: Groups::of(rows) }
    }
}

/// How rows are grouped: evenly, because a group of one or two waits for its sums more than it
/// computes.
#[derive(Clone, Copy)]
struct Groups {
    count: usize,
    /// Rows of the smaller groups.
    rows: usize,
    /// How many groups have one more; they come first.
    larger: usize,
}

impl Groups {
    fn of(rows: usize) -> Self {
        let count = rows.div_ceil(GROUP_ROWS);
        let divisor = count.max(1);
        Self { count, rows: rows / divisor, larger: rows % divisor }
    }

    fn rows(self, number: usize) -> Range<usize> {
        let start = number * self.rows + number.min(self.larger);
        start..start + self.rows + usize::from(number < self.larger)
    }

    /// The group of a row.
    fn find(self, row: usize) -> Range<usize> {
        let in_larger = self.larger * (self.rows + 1);
        let number = if row < in_larger {
            row / (self.rows + 1)
        } else {
            self.larger + (row - in_larger) / self.rows
        };
        self.rows(number)
    }
}

/// The memory of rows while several threads write different parts of it.
struct Writer {
    start: *mut u8,
    blocks: usize,
    groups: Groups,
}

// SAFETY: what is written through it is disjoint, by the contract of `write`.
#[expect(unsafe_code, reason = "threads write different parts")]
unsafe impl Sync for Writer {}

impl Writer {
    /// Quantises `numbers` to the blocks of `row` from number `first` on.
    ///
    /// # Safety
    /// No other thread writes the same blocks of the same row at the same time, and the rows that
    /// this was made from are borrowed for that long.
    #[expect(unsafe_code, reason = "threads write different parts")]
    unsafe fn write(&self, isa: Isa, row: usize, first: usize, numbers: &[f32]) {
        let (numbers, rest) = numbers.as_chunks::<BLOCK_INPUTS>();
        let group = self.groups.find(row);
        assert!(rest.is_empty() && first + numbers.len() <= self.blocks, "blocks of that row");
        assert!(group.end <= self.groups.rows(self.groups.count - 1).end, "a row there is");
        let rows = group.len();
        let start = (group.start * self.blocks + first * rows) * ROW_BLOCK_BYTES;
        // SAFETY: `start` and all that follows lies within the memory that `resize` made for all
        // blocks of all rows, because row and blocks were just checked; the caller promises that
        // nobody else writes there. The features were detected, as `isa` proves.
        unsafe {
            let place = Place { block: self.start.add(start), rows, row: row - group.start };
            match isa.set() {
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512 => block::write_avx512(place, numbers),
                #[cfg(target_arch = "x86_64")]
                InstructionSet::AvxVnni | InstructionSet::Avx2 => {
                    block::write_avx2(place, numbers);
                }
                _ => block::write(place, numbers),
            }
        }
    }
}

#[cfg(test)]
mod tests;
