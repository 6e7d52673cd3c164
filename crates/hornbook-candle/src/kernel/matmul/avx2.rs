//! Products with registers of eight outputs: AVX2, and AVX-VNNI, which has integer dot products.
//!
//! AVX2 adds pairs of 8-bit products to 16 bits and saturates there, so it only ever sees 4-bit
//! weights: two products of at most 15 * 127, and all eight pairs of half a block's groups, stay
//! below 2^15. A weight of 8 bits is two of 4 bits, the sums of its high halves counting 16 times.
//!
//! What both share is always inlined into [`Set::half`], which is compiled for one of the two.
#![expect(clippy::needless_range_loop, reason = "as in the module for AVX-512")]
#![expect(unsafe_code, reason = "the instruction sets' own operations")]

mod operands;
mod set;

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_mul_ps,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_storeu_ps,
};
use std::ops::Range;

use super::super::pack::{
    BLOCK_INPUTS, Bytes, BytesSplit, BytesWideMin, Form, Kind, Nibbles, NibblesMin, NibblesWideMin,
    Second, TILE_OUTPUTS,
};
use super::super::quantise::{GROUP_ROWS, QuantisedRows, ROW_BLOCK_BYTES, RowGroup};
use super::Target;
use operands::{Rows, Tile};
use set::Set;
pub(super) use set::{Avx2, AvxVnni};

/// Outputs of a register.
const LANES: usize = TILE_OUTPUTS / 2;
/// Groups of four inputs in half a block.
const HALF_GROUPS: usize = BLOCK_INPUTS / 8;

/// All rows times those tiles.
///
/// # Safety
/// The machine has the set.
pub(super) unsafe fn multiply<S: Set>(
    target: &Target<'_>,
    tiles: Range<usize>,
    rows: &QuantisedRows,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match target.matrix.kind() {
            Kind::Nibbles => multiply_form::<S, Nibbles>(target, tiles, rows),
            Kind::NibblesMin => multiply_form::<S, NibblesMin>(target, tiles, rows),
            Kind::NibblesWideMin => multiply_form::<S, NibblesWideMin>(target, tiles, rows),
            Kind::Bytes => multiply_form::<S, Bytes>(target, tiles, rows),
            Kind::BytesWideMin => multiply_form::<S, BytesWideMin>(target, tiles, rows),
            Kind::BytesSplit => multiply_form::<S, BytesSplit>(target, tiles, rows),
        }
    }
}

/// # Safety
/// The machine has the set.
unsafe fn multiply_form<S: Set, F: Form>(
    target: &Target<'_>,
    tiles: Range<usize>,
    rows: &QuantisedRows,
) {
    for tile in tiles {
        for group in rows.groups() {
            let mut stored = [[0.0; TILE_OUTPUTS]; GROUP_ROWS];
            for (number, stored) in stored[..group.rows].chunks_mut(S::ROWS).enumerate() {
                let first = number * S::ROWS;
                for half in 0..2 {
                    let half = Half::new::<F>(target, tile, half, group, first, stored.len());
                    // SAFETY: the caller's promise.
                    unsafe {
                        match stored.len() {
                            1 => store_half::<S, F, 1>(&half, stored),
                            2 => store_half::<S, F, 2>(&half, stored),
                            3 => store_half::<S, F, 3>(&half, stored),
                            4 => store_half::<S, F, 4>(&half, stored),
                            5 => store_half::<S, F, 5>(&half, stored),
                            _ => store_half::<S, F, 6>(&half, stored),
                        }
                    }
                }
            }
            target.store(group, tile, &stored[..group.rows]);
        }
    }
}

/// # Safety
/// The machine has the set; `half` is of that form and that many rows.
unsafe fn store_half<S: Set, F: Form, const ROWS: usize>(
    half: &Half<'_>,
    stored: &mut [[f32; TILE_OUTPUTS]],
) {
    let mut sums = [[0.0; LANES]; ROWS];
    // SAFETY: the caller's promise.
    unsafe { S::half::<F, ROWS>(half, &mut sums) };
    for (stored, sums) in stored.iter_mut().zip(&sums) {
        stored[half.lanes.clone()].copy_from_slice(sums);
    }
}

/// Some rows of a group and one half of a tile's outputs; the slices have all blocks of both.
pub(super) struct Half<'a> {
    column: &'a [u8],
    lanes: Range<usize>,
    blocks: usize,
    group: RowGroup<'a>,
    /// The first of the rows within the group.
    first: usize,
}

impl<'a> Half<'a> {
    fn new<F: Form>(
        target: &Target<'a>,
        tile: usize,
        half: usize,
        group: RowGroup<'a>,
        first: usize,
        rows: usize,
    ) -> Self {
        let blocks = target.matrix.blocks();
        let column = target.matrix.column(tile);
        let column_bytes = blocks * (F::KIND.quant_bytes() + F::KIND.scale_bytes());
        assert!(column.len() >= column_bytes, "tiles of that form");
        let group_bytes = blocks * group.rows * ROW_BLOCK_BYTES;
        assert!(group.bytes.len() >= group_bytes, "blocks of that many rows");
        assert!(half < 2 && first + rows <= group.rows, "rows of the group");
        Self { column, lanes: half * LANES..(half + 1) * LANES, blocks, group, first }
    }
}

/// `ROWS` rows of a group times one half of a tile's outputs.
///
/// # Safety
/// The machine has the set; `half` was made for that form and that many rows.
#[inline(always)]
unsafe fn multiply_half<S: Set, F: Form, const ROWS: usize>(
    half: &Half<'_>,
    stored: &mut [[f32; LANES]; ROWS],
) {
    let Half { column, lanes, blocks, group, first } = half;
    let quant_bytes = blocks * F::KIND.quant_bytes();
    // SAFETY: the offsets of each block lie within the slices, whose lengths `Half::new` checked.
    unsafe {
        let mut sums = [_mm256_setzero_ps(); ROWS];
        let mut tile = Tile {
            quants: column.as_ptr().add(lanes.start * 4),
            scales: column.as_ptr().add(quant_bytes + lanes.start * F::KIND.field_bytes()),
        };
        let mut rows = Rows {
            quants: group.bytes.as_ptr().add(first * BLOCK_INPUTS),
            numbers: group.bytes.as_ptr().add(group.rows * BLOCK_INPUTS + first * 4),
            field_bytes: group.rows * 4,
        };
        for _ in 0..*blocks {
            add_block::<S, F, ROWS>(tile, rows, &mut sums);
            // The last step may go past the end; nothing is read there.
            tile.quants = tile.quants.wrapping_add(F::KIND.quant_bytes());
            tile.scales = tile.scales.wrapping_add(F::KIND.scale_bytes());
            rows.quants = rows.quants.wrapping_add(group.rows * ROW_BLOCK_BYTES);
            rows.numbers = rows.numbers.wrapping_add(group.rows * ROW_BLOCK_BYTES);
        }
        for row in 0..ROWS {
            _mm256_storeu_ps(stored[row].as_mut_ptr(), sums[row]);
        }
    }
}

/// Adds one block's products.
///
/// # Safety
/// The machine has the set; tile and rows point to whole blocks of their forms.
#[inline(always)]
unsafe fn add_block<S: Set, F: Form, const ROWS: usize>(
    tile: Tile,
    rows: Rows,
    sums: &mut [__m256; ROWS],
) {
    // SAFETY: the caller's promise; groups, parts and rows are below what a block has.
    unsafe {
        if F::KIND.second() == Second::Scale {
            for half in 0..2 {
                let groups = half * HALF_GROUPS..(half + 1) * HALF_GROUPS;
                let products = S::dot::<F, ROWS>(tile, rows, groups);
                add_scaled::<F, ROWS>(products, tile.field::<F>(half), rows, 1 + half, sums);
            }
            return;
        }
        let products = S::dot::<F, ROWS>(tile, rows, 0..2 * HALF_GROUPS);
        add_scaled::<F, ROWS>(products, tile.field::<F>(0), rows, 0, sums);
        if F::KIND.second() == Second::Min {
            let min = tile.field::<F>(1);
            for row in 0..ROWS {
                let scaled_sum = _mm256_set1_ps(f32::from_bits(rows.number(1, row)));
                sums[row] = _mm256_fmadd_ps(min, scaled_sum, sums[row]);
            }
        }
    }
}

/// Moves products by the offset and adds them, scaled; `part` says which sum of the rows' quants
/// the offset goes with.
///
/// # Safety
/// That of [`add_block`].
#[inline(always)]
unsafe fn add_scaled<F: Form, const ROWS: usize>(
    products: [__m256i; ROWS],
    scale: __m256,
    rows: Rows,
    part: usize,
    sums: &mut [__m256; ROWS],
) {
    // SAFETY: the caller's promise.
    unsafe {
        for row in 0..ROWS {
            let mut product = products[row];
            if let Some(bits) = F::KIND.offset_bits() {
                let sum = _mm256_set1_epi32(rows.number(2 + part, row) as i32);
                let moved = match bits {
                    3 => _mm256_slli_epi32::<3>(sum),
                    5 => _mm256_slli_epi32::<5>(sum),
                    _ => _mm256_slli_epi32::<7>(sum),
                };
                product = _mm256_add_epi32(product, moved);
            }
            let row_scale = _mm256_set1_ps(f32::from_bits(rows.number(0, row)));
            let scale = _mm256_mul_ps(scale, row_scale);
            sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), scale, sums[row]);
        }
    }
}
