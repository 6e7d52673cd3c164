//! Weight matrices in the order in which products read them.
//!
//! A tile is 16 outputs by 32 inputs. Its quants lie so that one 64-byte load gives four inputs
//! of all 16 outputs, which is what one instruction of a 512-bit integer dot product takes; of
//! 4-bit types one load gives inputs `4g..4g+4` in the low halves of its bytes and
//! `16+4g..16+4g+4` in the high ones. All tiles of 16 outputs follow each other, with their
//! scales behind them, so that a product reads memory from front to back.

mod block;
mod form;

use std::ops::Range;

use candle_core::quantized::GgmlDType;

pub(super) use form::*;

use super::{Team, half};
use block::Block;

/// Outputs of a tile: the 32-bit lanes of the widest register.
pub(super) const TILE_OUTPUTS: usize = 16;
/// Inputs of a tile: what shares one scale in most quantised types.
pub(crate) const BLOCK_INPUTS: usize = 32;
/// Inputs whose products one lane adds at once.
const GROUP: usize = 4;
/// Tiles that products read side by side; matrices are padded to a multiple of it with zeros.
pub(super) const TILE_PAIR: usize = 2;
/// Fewest columns of tiles that one thread packs at once.
const PACK_GRAIN: usize = 4;

/// One cache line, so that the tiles are aligned to it.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([u8; 64]);

impl Line {
    pub(super) const ZERO: Self = Self([0; 64]);
}

/// The bytes of whole lines.
pub(super) fn bytes_of(lines: &[Line]) -> &[u8] {
    // SAFETY: a line is 64 initialised bytes without padding, and bytes need no alignment.
    #[expect(unsafe_code, reason = "arrays of bytes seen as bytes")]
    unsafe {
        std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines))
    }
}

/// The same, to be written.
pub(super) fn bytes_of_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: as above; any bytes are a valid line.
    #[expect(unsafe_code, reason = "arrays of bytes seen as bytes")]
    unsafe {
        std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), size_of_val(lines))
    }
}

/// Why a matrix cannot be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PackError {
    /// There are no tiles for its type.
    #[error("has a type without tiles")]
    Type,
    /// A scale is NaN or infinite: it would poison every answer.
    #[error("holds a number that is not finite")]
    NotFinite,
    /// The bytes are not those of a matrix of that type and shape.
    #[error("has {found} bytes where its shape needs {needed}")]
    Length {
        /// Bytes of the matrix.
        found: usize,
        /// Bytes of its shape.
        needed: usize,
    },
}

/// A quantised weight matrix, in tiles.
pub(crate) struct PackedMatrix {
    kind: Kind,
    outputs: usize,
    inputs: usize,
    /// `[tiles of 16 outputs][column_lines]`.
    lines: Vec<Line>,
}

impl PackedMatrix {
    /// Whether there are tiles for that type.
    pub(crate) fn packs(dtype: GgmlDType) -> bool {
        Kind::of(dtype).is_some()
    }

    /// Packs the blocks of a `[outputs, inputs]` matrix as GGML stores them.
    pub(crate) fn pack(
        team: &Team,
        dtype: GgmlDType,
        blocks: &[u8],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, PackError> {
        let Some(kind) = Kind::of(dtype).filter(|_| inputs.is_multiple_of(dtype.block_size()))
        else {
            return Err(PackError::Type);
        };
        let row_bytes = inputs / dtype.block_size() * dtype.type_size();
        let (found, needed) = (blocks.len(), outputs * row_bytes);
        if found != needed || needed == 0 {
            return Err(PackError::Length { found, needed });
        }
        if !block::all_finite(team, dtype, blocks) {
            return Err(PackError::NotFinite);
        }
        let tiles = outputs.div_ceil(TILE_OUTPUTS).next_multiple_of(TILE_PAIR);
        let mut packed = Self { kind, outputs, inputs, lines: Vec::new() };
        let column_lines = packed.column_lines();
        let mut lines = vec![Line::ZERO; tiles * column_lines];
        team.run_chunks(&mut lines, column_lines, PACK_GRAIN, |tile, column| {
            let column = bytes_of_mut(column);
            let first = tile * TILE_OUTPUTS;
            for output in first..outputs.min(first + TILE_OUTPUTS) {
                let row = &blocks[output * row_bytes..][..row_bytes];
                for number in 0..inputs / BLOCK_INPUTS {
                    packed.put(column, output - first, number, &Block::read(dtype, row, number));
                }
            }
        });
        packed.lines = lines;
        Ok(packed)
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
    }

    /// Writes row `index` of the matrix as floats, which is how a token becomes its embedding.
    pub(crate) fn copy_row(&self, index: usize, output: &mut [f32]) {
        assert!(index < self.outputs && output.len() == self.inputs, "a whole row of the matrix");
        let column = self.column(index / TILE_OUTPUTS);
        let lane = index % TILE_OUTPUTS;
        let offset = self.kind.offset_bits().map_or(0.0, |bits| (1_u32 << bits) as f32);
        for (number, output) in output.chunks_exact_mut(BLOCK_INPUTS).enumerate() {
            let first = self.field(column, lane, number, 0);
            let second = self.second(column, lane, number);
            for (input, output) in output.iter_mut().enumerate() {
                let quant = f32::from(self.quant(column, lane, number, input)) - offset;
                *output = match self.kind.second() {
                    Second::None => first * quant,
                    Second::Min => first * quant + second,
                    Second::Scale if input < BLOCK_INPUTS / 2 => first * quant,
                    Second::Scale => second * quant,
                };
            }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Blocks of 32 inputs.
    pub(super) fn blocks(&self) -> usize {
        self.inputs / BLOCK_INPUTS
    }

    /// Columns of tiles, those of padding among them; even.
    pub(super) fn tiles(&self) -> usize {
        bytes_of(&self.lines).len() / self.column_bytes()
    }

    /// The tiles of 16 outputs: the quants of all blocks, then their scales.
    pub(super) fn column(&self, tile: usize) -> &[u8] {
        let lines = self.column_lines();
        bytes_of(&self.lines[tile * lines..][..lines])
    }

    /// Several of them.
    pub(super) fn columns(&self, tiles: Range<usize>) -> &[u8] {
        let lines = self.column_lines();
        bytes_of(&self.lines[tiles.start * lines..tiles.end * lines])
    }

    fn column_bytes(&self) -> usize {
        self.column_lines() * size_of::<Line>()
    }

    fn column_lines(&self) -> usize {
        let bytes = self.blocks() * (self.kind.quant_bytes() + self.kind.scale_bytes());
        bytes.div_ceil(size_of::<Line>())
    }

    fn put(&self, column: &mut [u8], lane: usize, number: usize, block: &Block) {
        let start = number * self.kind.quant_bytes() + lane * GROUP;
        let lines = column[start..].chunks_mut(TILE_OUTPUTS * GROUP);
        let (low, high) = block.quants.split_at(BLOCK_INPUTS / 2);
        if self.kind.nibbles() {
            let groups = low.as_chunks::<GROUP>().0.iter().zip(high.as_chunks::<GROUP>().0);
            for (line, (low, high)) in lines.zip(groups) {
                let both = std::array::from_fn::<_, GROUP, _>(|at| low[at] | high[at] << 4);
                line[..GROUP].copy_from_slice(&both);
            }
        } else {
            for (line, group) in lines.zip(block.quants.as_chunks::<GROUP>().0) {
                line[..GROUP].copy_from_slice(group);
            }
        }
        for (field, bits) in block.fields.iter().enumerate().take(self.kind.fields()) {
            let byte = self.field_place(lane, number, field);
            if self.kind.half() {
                column[byte..byte + 2].copy_from_slice(&(*bits as u16).to_le_bytes());
            } else {
                column[byte..byte + 4].copy_from_slice(&bits.to_le_bytes());
            }
        }
    }

    fn field_place(&self, lane: usize, number: usize, field: usize) -> usize {
        let width = self.kind.field_bytes();
        self.blocks() * self.kind.quant_bytes()
            + number * self.kind.scale_bytes()
            + (field * TILE_OUTPUTS + lane) * width
    }

    fn quant(&self, column: &[u8], lane: usize, number: usize, input: usize) -> u8 {
        let (group, rest) = (input / GROUP, input % GROUP);
        let start = number * self.kind.quant_bytes() + lane * GROUP + rest;
        let line = TILE_OUTPUTS * GROUP;
        match self.kind.nibbles() {
            true => column[start + group % GROUP * line] >> (group / GROUP * 4) & 15,
            false => column[start + group * line],
        }
    }

    fn second(&self, column: &[u8], lane: usize, number: usize) -> f32 {
        if self.kind.fields() == 1 { 0.0 } else { self.field(column, lane, number, 1) }
    }

    fn field(&self, column: &[u8], lane: usize, number: usize, field: usize) -> f32 {
        let bytes = &column[self.field_place(lane, number, field)..];
        match (self.kind.half(), bytes) {
            (true, [low, high, ..]) => half::to_float(u16::from_le_bytes([*low, *high])),
            (false, [a, b, c, d, ..]) => f32::from_le_bytes([*a, *b, *c, *d]),
            // Columns end after their last field.
            _ => 0.0,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
