//! Products with 512-bit integer dot products: one instruction adds four inputs of 16 outputs.
//!
//! Loops here count instead of mapping arrays: a closure that a function of the standard library
//! calls is not compiled for the instruction set, and each of its instructions becomes a call.
#![expect(clippy::needless_range_loop, reason = "as said above")]

mod operands;

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T1, _mm_prefetch, _mm512_and_si512, _mm512_cvtepi32_ps,
    _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_mul_ps, _mm512_set1_epi8, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_srli_epi16, _mm512_storeu_ps,
};
use std::ops::Range;

use super::super::pack::{
    Bytes, BytesSplit, BytesWideMin, Form, Kind, Nibbles, NibblesMin, NibblesWideMin, Second,
    TILE_OUTPUTS, TILE_PAIR,
};
use super::super::quantise::{QuantisedRows, ROW_BLOCK_BYTES, RowGroup};
use super::{Ahead, LINE_BYTES, Target};
use operands::{Rows, Tiles};

/// Tiles side by side for few rows: their sums do not wait for each other.
const TILES_FOR_FEW_ROWS: usize = 4;
/// Most rows that count as few; with more the registers would not do.
const FEW_ROWS: usize = 3;

/// All rows times those tiles, an even number.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn multiply(target: &Target<'_>, tiles: Range<usize>, rows: &QuantisedRows) {
    match target.matrix.kind() {
        Kind::Nibbles => multiply_form::<Nibbles>(target, tiles, rows),
        Kind::NibblesMin => multiply_form::<NibblesMin>(target, tiles, rows),
        Kind::NibblesWideMin => multiply_form::<NibblesWideMin>(target, tiles, rows),
        Kind::Bytes => multiply_form::<Bytes>(target, tiles, rows),
        Kind::BytesWideMin => multiply_form::<BytesWideMin>(target, tiles, rows),
        Kind::BytesSplit => multiply_form::<BytesSplit>(target, tiles, rows),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn multiply_form<F: Form>(target: &Target<'_>, tiles: Range<usize>, rows: &QuantisedRows) {
    let Range { start: mut tile, end } = tiles;
    while tile < end {
        let few = rows.rows() <= FEW_ROWS && end - tile >= TILES_FOR_FEW_ROWS;
        let count = if few { TILES_FOR_FEW_ROWS } else { TILE_PAIR };
        let next = tile + count;
        let groups = rows.groups();
        let shares = groups.len();
        for (number, group) in groups.enumerate() {
            // Past the end of the range too: the same thread is likely to go on there.
            let ahead = match next < target.matrix.tiles() {
                true => {
                    let last = target.matrix.tiles().min(next + count);
                    let bytes = target.matrix.columns(next..last);
                    Ahead::new(bytes, number, shares, target.matrix.blocks())
                }
                false => Ahead::NONE,
            };
            match (few, group.rows) {
                (true, 1) => multiply_tiles::<F, TILES_FOR_FEW_ROWS, 1>(target, tile, group, ahead),
                (true, 2) => multiply_tiles::<F, TILES_FOR_FEW_ROWS, 2>(target, tile, group, ahead),
                (true, _) => multiply_tiles::<F, TILES_FOR_FEW_ROWS, 3>(target, tile, group, ahead),
                (false, 1) => multiply_tiles::<F, TILE_PAIR, 1>(target, tile, group, ahead),
                (false, 2) => multiply_tiles::<F, TILE_PAIR, 2>(target, tile, group, ahead),
                (false, 3) => multiply_tiles::<F, TILE_PAIR, 3>(target, tile, group, ahead),
                (false, 4) => multiply_tiles::<F, TILE_PAIR, 4>(target, tile, group, ahead),
                (false, 5) => multiply_tiles::<F, TILE_PAIR, 5>(target, tile, group, ahead),
                (false, _) => multiply_tiles::<F, TILE_PAIR, 6>(target, tile, group, ahead),
            }
        }
        tile = next;
    }
}

/// A group of `ROWS` rows times `TILES` tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn multiply_tiles<F: Form, const TILES: usize, const ROWS: usize>(
    target: &Target<'_>,
    tile: usize,
    group: RowGroup<'_>,
    ahead: Ahead,
) {
    let blocks = target.matrix.blocks();
    let columns = target.matrix.columns(tile..tile + TILES);
    let stride = columns.len() / TILES;
    let quant_bytes = blocks * F::KIND.quant_bytes();
    assert!(stride >= quant_bytes + blocks * F::KIND.scale_bytes(), "tiles of that form");
    assert!(group.bytes.len() >= blocks * ROWS * ROW_BLOCK_BYTES, "blocks of that many rows");
    let mut sums = [[_mm512_setzero_ps(); ROWS]; TILES];
    for block in 0..blocks {
        for line in 0..ahead.lines_per_block {
            let line = (block * ahead.lines_per_block + line) * LINE_BYTES;
            _mm_prefetch::<_MM_HINT_T1>(ahead.start.wrapping_add(line).cast());
        }
        // SAFETY: `block` is below `blocks`, so these offsets lie within the slices whose lengths
        // were just checked; what follows each is one block long, as the methods want it.
        #[expect(unsafe_code, reason = "loads within checked slices")]
        unsafe {
            let tiles = Tiles::<F, TILES> {
                quants: columns.as_ptr().add(block * F::KIND.quant_bytes()),
                scales: columns.as_ptr().add(quant_bytes + block * F::KIND.scale_bytes()),
                stride,
                form: std::marker::PhantomData,
            };
            let rows = Rows::<ROWS>::new(group.bytes.as_ptr().add(block * ROWS * ROW_BLOCK_BYTES));
            add_block(tiles, rows, &mut sums);
        }
    }
    for (number, sums) in sums.iter().enumerate() {
        let mut stored = [[0.0; TILE_OUTPUTS]; ROWS];
        for (stored, sum) in stored.iter_mut().zip(sums) {
            // SAFETY: 16 floats are what the register holds.
            #[expect(unsafe_code, reason = "a store to an array")]
            unsafe {
                _mm512_storeu_ps(stored.as_mut_ptr(), *sum);
            }
        }
        target.store(group, tile + number, &stored);
    }
}

/// Adds one block's products.
///
/// # Safety
/// Tiles and rows point to whole blocks of their forms.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads from what the caller checked")]
unsafe fn add_block<F: Form, const TILES: usize, const ROWS: usize>(
    tiles: Tiles<F, TILES>,
    rows: Rows<ROWS>,
    sums: &mut [[__m512; ROWS]; TILES],
) {
    const HALVES: usize = 2;
    // SAFETY: the caller's promise; group, part and row are below what a block has.
    unsafe {
        if F::KIND.second() == Second::Scale {
            for half in 0..HALVES {
                let mut products = start::<F, TILES, ROWS>(rows, 1 + half);
                for group in 4 * half..4 * half + 4 {
                    dot(tiles.lines(group), rows, group, &mut products);
                }
                for tile in 0..TILES {
                    let scale = tiles.field(tile, half);
                    for row in 0..ROWS {
                        let sum = &mut sums[tile][row];
                        *sum = scaled(products[tile][row], scale, rows.scale(row), *sum);
                    }
                }
            }
            return;
        }
        let mut products = start::<F, TILES, ROWS>(rows, 0);
        if F::KIND.nibbles() {
            let mask = _mm512_set1_epi8(15);
            for group in 0..4 {
                let mut low = tiles.lines(group);
                let mut high = low;
                for tile in 0..TILES {
                    high[tile] = _mm512_and_si512(_mm512_srli_epi16::<4>(low[tile]), mask);
                    low[tile] = _mm512_and_si512(low[tile], mask);
                }
                dot(low, rows, group, &mut products);
                dot(high, rows, 4 + group, &mut products);
            }
        } else {
            for group in 0..8 {
                dot(tiles.lines(group), rows, group, &mut products);
            }
        }
        for tile in 0..TILES {
            let scale = tiles.field(tile, 0);
            for row in 0..ROWS {
                let sum = &mut sums[tile][row];
                *sum = scaled(products[tile][row], scale, rows.scale(row), *sum);
            }
            if F::KIND.second() == Second::Min {
                let min = tiles.field(tile, 1);
                for row in 0..ROWS {
                    let sum = &mut sums[tile][row];
                    *sum = _mm512_fmadd_ps(min, rows.scaled_sum(row), *sum);
                }
            }
        }
    }
}

/// What integer sums begin with: minus the offset times the sum of the row's quants, so that
/// unsigned quants count as signed ones, exactly.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads from what the caller checked")]
unsafe fn start<F: Form, const TILES: usize, const ROWS: usize>(
    rows: Rows<ROWS>,
    part: usize,
) -> [[__m512i; ROWS]; TILES] {
    let mut products = [[_mm512_setzero_si512(); ROWS]; TILES];
    let shift = match F::KIND.offset_bits() {
        None => return products,
        Some(bits) => bits,
    };
    for row in 0..ROWS {
        // SAFETY: the caller's promise.
        let sum = unsafe { rows.negative_sum(part, row) };
        let moved = match shift {
            3 => _mm512_slli_epi32::<3>(sum),
            5 => _mm512_slli_epi32::<5>(sum),
            _ => _mm512_slli_epi32::<7>(sum),
        };
        for products in &mut products {
            products[row] = moved;
        }
    }
    products
}

/// Adds the products of four inputs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads from what the caller checked")]
unsafe fn dot<const TILES: usize, const ROWS: usize>(
    weights: [__m512i; TILES],
    rows: Rows<ROWS>,
    group: usize,
    products: &mut [[__m512i; ROWS]; TILES],
) {
    for row in 0..ROWS {
        // SAFETY: the caller's promise.
        let quants = unsafe { rows.quants(row, group) };
        for tile in 0..TILES {
            let product = &mut products[tile][row];
            *product = _mm512_dpbusd_epi32(*product, weights[tile], quants);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn scaled(product: __m512i, weight_scale: __m512, row_scale: __m512, sum: __m512) -> __m512 {
    _mm512_fmadd_ps(_mm512_cvtepi32_ps(product), _mm512_mul_ps(weight_scale, row_scale), sum)
}
