//! Products with AVX2: pairs of 8-bit products are added to 16 bits.
//!
//! That instruction saturates at 16 bits, so it only ever sees 4-bit weights: two products of at
//! most 15 * 127, and all eight pairs of a block, stay below 2^15. A weight of 8 bits is two of
//! 4 bits, the sums of its high halves counting 16 times.

use std::arch::x86_64::{
    __m256, __m256i, _mm_loadu_si128, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256,
    _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_load_si256, _mm256_loadu_ps,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi32,
    _mm256_srli_epi16, _mm256_storeu_ps,
};
use std::ops::Range;

use super::super::pack::{
    BLOCK_INPUTS, Bytes, BytesSplit, BytesWideMin, Form, Kind, Nibbles, NibblesMin, NibblesWideMin,
    Second, TILE_OUTPUTS,
};
use super::super::quantise::{QuantisedRows, ROW_BLOCK_BYTES, RowGroup};
use super::{LINE_BYTES, Target};

/// Outputs of a register.
const LANES: usize = TILE_OUTPUTS / 2;
/// Most rows side by side: two sums each of 16 registers.
const ROWS_TOGETHER: usize = 3;

/// All rows times those tiles.
#[target_feature(enable = "avx2,fma,f16c")]
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

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_form<F: Form>(target: &Target<'_>, tiles: Range<usize>, rows: &QuantisedRows) {
    for tile in tiles {
        for group in rows.groups() {
            let mut stored = [[0.0; TILE_OUTPUTS]; super::super::quantise::GROUP_ROWS];
            for (number, stored) in stored[..group.rows].chunks_mut(ROWS_TOGETHER).enumerate() {
                let first = number * ROWS_TOGETHER;
                for half in 0..2 {
                    match stored.len() {
                        1 => multiply_half::<F, 1>(target, tile, half, group, first, stored),
                        2 => multiply_half::<F, 2>(target, tile, half, group, first, stored),
                        _ => multiply_half::<F, 3>(target, tile, half, group, first, stored),
                    }
                }
            }
            target.store(group, tile, &stored[..group.rows]);
        }
    }
}

/// `ROWS` rows of a group, from its row `first` on, times one half of a tile's outputs.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_half<F: Form, const ROWS: usize>(
    target: &Target<'_>,
    tile: usize,
    half: usize,
    group: RowGroup<'_>,
    first: usize,
    stored: &mut [[f32; TILE_OUTPUTS]],
) {
    let blocks = target.matrix.blocks();
    let column = target.matrix.column(tile);
    let quant_bytes = blocks * F::KIND.quant_bytes();
    assert!(column.len() >= quant_bytes + blocks * F::KIND.scale_bytes(), "tiles of that form");
    let block_bytes = group.rows * ROW_BLOCK_BYTES;
    assert!(group.bytes.len() >= blocks * block_bytes, "blocks of that many rows");
    assert!(half < 2 && first + ROWS <= group.rows && stored.len() == ROWS, "rows of the group");
    let mut sums = [_mm256_setzero_ps(); ROWS];
    for block in 0..blocks {
        // SAFETY: `block` is below `blocks`, so these offsets lie within the slices whose lengths
        // were just checked; what follows each is one block long, as the methods want it.
        #[expect(unsafe_code, reason = "loads within checked slices")]
        unsafe {
            let rows = Rows {
                start: group.bytes.as_ptr().add(block * block_bytes),
                rows: group.rows,
                first,
            };
            let quants = column.as_ptr().add(block * F::KIND.quant_bytes() + half * LINE_BYTES / 2);
            let scales = column.as_ptr().add(
                quant_bytes + block * F::KIND.scale_bytes() + half * LANES * F::KIND.field_bytes(),
            );
            add_block::<F, ROWS>(Tile { quants, scales }, rows, &mut sums);
        }
    }
    for (stored, sum) in stored.iter_mut().zip(sums) {
        let stored = &mut stored[half * LANES..][..LANES];
        // SAFETY: eight floats are what the register holds.
        #[expect(unsafe_code, reason = "a store to a slice of that length")]
        unsafe {
            _mm256_storeu_ps(stored.as_mut_ptr(), sum);
        }
    }
}

/// Adds one block's products.
///
/// # Safety
/// Tile and rows point to whole blocks of their forms.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads from what the caller checked")]
unsafe fn add_block<F: Form, const ROWS: usize>(tile: Tile, rows: Rows, sums: &mut [__m256; ROWS]) {
    // SAFETY: the caller's promise; groups, parts and rows are below what a block has.
    unsafe {
        if F::KIND.second() == Second::Scale {
            for half in 0..2 {
                let products = dot::<F, ROWS>(tile, rows, half * 4..half * 4 + 4, 1 + half);
                add_scaled(products, tile.field::<F>(half), rows, sums);
            }
            return;
        }
        let products = dot::<F, ROWS>(tile, rows, 0..8, 0);
        add_scaled(products, tile.field::<F>(0), rows, sums);
        if F::KIND.second() == Second::Min {
            let min = tile.field::<F>(1);
            for (row, sum) in sums.iter_mut().enumerate() {
                let scaled_sum = _mm256_set1_ps(f32::from_bits(rows.number(1, row)));
                *sum = _mm256_fmadd_ps(min, scaled_sum, *sum);
            }
        }
    }
}

/// The integer products of those groups of four inputs; `part` says which sum of the row's quants
/// the offset goes with.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads from what the caller checked")]
unsafe fn dot<F: Form, const ROWS: usize>(
    tile: Tile,
    rows: Rows,
    groups: Range<usize>,
    part: usize,
) -> [__m256i; ROWS] {
    let mask = _mm256_set1_epi8(15);
    let mut low = [_mm256_setzero_si256(); ROWS];
    let mut high = [_mm256_setzero_si256(); ROWS];
    // Of nibbles, a line's high halves are the group four later.
    let lines = if F::KIND.nibbles() { groups.start..groups.start + 4 } else { groups };
    for group in lines {
        // SAFETY: the caller's promise.
        unsafe {
            let both = tile.line(group);
            let low_weights = _mm256_and_si256(both, mask);
            let high_weights = _mm256_and_si256(_mm256_srli_epi16::<4>(both), mask);
            for row in 0..ROWS {
                let quants = rows.quants(row, group);
                low[row] = _mm256_add_epi16(low[row], _mm256_maddubs_epi16(low_weights, quants));
                if F::KIND.nibbles() {
                    let quants = rows.quants(row, group + 4);
                    let pairs = _mm256_maddubs_epi16(high_weights, quants);
                    low[row] = _mm256_add_epi16(low[row], pairs);
                } else {
                    let pairs = _mm256_maddubs_epi16(high_weights, quants);
                    high[row] = _mm256_add_epi16(high[row], pairs);
                }
            }
        }
    }
    let mut products = [_mm256_setzero_si256(); ROWS];
    for row in 0..ROWS {
        let mut product = _mm256_madd_epi16(low[row], _mm256_set1_epi16(1));
        if !F::KIND.nibbles() {
            let high = _mm256_madd_epi16(high[row], _mm256_set1_epi16(16));
            product = _mm256_add_epi32(product, high);
        }
        if let Some(bits) = F::KIND.offset_bits() {
            // SAFETY: the caller's promise.
            let sum = _mm256_set1_epi32(unsafe { rows.number(2 + part, row) } as i32);
            let moved = match bits {
                3 => _mm256_slli_epi32::<3>(sum),
                5 => _mm256_slli_epi32::<5>(sum),
                _ => _mm256_slli_epi32::<7>(sum),
            };
            product = _mm256_add_epi32(product, moved);
        }
        products[row] = product;
    }
    products
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads from what the caller checked")]
unsafe fn add_scaled<const ROWS: usize>(
    products: [__m256i; ROWS],
    scale: __m256,
    rows: Rows,
    sums: &mut [__m256; ROWS],
) {
    for (row, (sum, product)) in sums.iter_mut().zip(products).enumerate() {
        // SAFETY: the caller's promise.
        let row_scale = _mm256_set1_ps(f32::from_bits(unsafe { rows.number(0, row) }));
        *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), _mm256_mul_ps(scale, row_scale), *sum);
    }
}

/// One block of one half of a column of tiles.
#[derive(Clone, Copy)]
struct Tile {
    quants: *const u8,
    scales: *const u8,
}

#[expect(unsafe_code, reason = "loads from what the caller checked")]
impl Tile {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn line(self, group: usize) -> __m256i {
        // SAFETY: the caller's promise; columns and blocks are whole lines, and this is half of one.
        unsafe { _mm256_load_si256(self.quants.add(group * LINE_BYTES).cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn field<F: Form>(self, number: usize) -> __m256 {
        // SAFETY: the caller's promise; a field has a scale for each output.
        unsafe {
            let field = self.scales.add(number * TILE_OUTPUTS * F::KIND.field_bytes());
            if F::KIND.half() {
                _mm256_cvtph_ps(_mm_loadu_si128(field.cast()))
            } else {
                _mm256_loadu_ps(field.cast())
            }
        }
    }
}

/// One block of a group's rows from `first` on.
#[derive(Clone, Copy)]
struct Rows {
    start: *const u8,
    /// All rows of the group.
    rows: usize,
    first: usize,
}

#[expect(unsafe_code, reason = "loads from what the caller checked")]
impl Rows {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn quants(self, row: usize, group: usize) -> __m256i {
        let offset = (self.first + row) * BLOCK_INPUTS + group * 4;
        // SAFETY: the caller's promise.
        _mm256_set1_epi32(unsafe { self.start.add(offset).cast::<i32>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn number(self, field: usize, row: usize) -> u32 {
        let place = field * self.rows + self.first + row;
        let offset = self.rows * BLOCK_INPUTS + place * size_of::<u32>();
        // SAFETY: the caller's promise.
        unsafe { self.start.add(offset).cast::<u32>().read_unaligned() }
    }
}
