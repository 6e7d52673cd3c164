//! What the two instruction sets do differently: integer products.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_setzero_si256,
};
use std::ops::Range;

use super::super::super::pack::Form;
use super::super::super::quantise::GROUP_ROWS;
use super::operands::{Rows, Tile};
use super::{HALF_GROUPS, Half, LANES, multiply_half};

/// One of the two instruction sets.
pub(in super::super) trait Set {
    /// Most rows side by side, as far as 16 registers go.
    const ROWS: usize;

    /// [`multiply_half`], compiled for the set.
    ///
    /// # Safety
    /// The machine has the set, and what [`multiply_half`] asks for.
    unsafe fn half<F: Form, const ROWS: usize>(half: &Half<'_>, sums: &mut [[f32; LANES]; ROWS]);

    /// The products of one line of weights, 8 bits each or twice 4 bits, added up.
    ///
    /// # Safety
    /// The machine has the set; rows point to whole blocks.
    unsafe fn dot<F: Form, const ROWS: usize>(
        tile: Tile,
        rows: Rows,
        groups: Range<usize>,
    ) -> [__m256i; ROWS];
}

/// AVX2 with fused multiplication.
pub(in super::super) struct Avx2;

impl Set for Avx2 {
    const ROWS: usize = 3;

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn half<F: Form, const ROWS: usize>(half: &Half<'_>, sums: &mut [[f32; LANES]; ROWS]) {
        // SAFETY: the caller's promise.
        unsafe { multiply_half::<Self, F, ROWS>(half, sums) }
    }

    #[inline(always)]
    unsafe fn dot<F: Form, const ROWS: usize>(
        tile: Tile,
        rows: Rows,
        groups: Range<usize>,
    ) -> [__m256i; ROWS] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut low = [_mm256_setzero_si256(); ROWS];
            let mut high = [_mm256_setzero_si256(); ROWS];
            // Of nibbles, a line's high halves are the group four later.
            let lines = if F::KIND.nibbles() { 0..HALF_GROUPS } else { groups };
            for group in lines {
                let (low_weights, high_weights) = tile.nibbles(group);
                for row in 0..ROWS {
                    let quants = rows.quants(row, group);
                    let pairs = _mm256_maddubs_epi16(low_weights, quants);
                    low[row] = _mm256_add_epi16(low[row], pairs);
                    if F::KIND.nibbles() {
                        let quants = rows.quants(row, group + HALF_GROUPS);
                        let pairs = _mm256_maddubs_epi16(high_weights, quants);
                        low[row] = _mm256_add_epi16(low[row], pairs);
                    } else {
                        let pairs = _mm256_maddubs_epi16(high_weights, quants);
                        high[row] = _mm256_add_epi16(high[row], pairs);
                    }
                }
            }
            for row in 0..ROWS {
                low[row] = _mm256_madd_epi16(low[row], _mm256_set1_epi16(1));
                if !F::KIND.nibbles() {
                    let high = _mm256_madd_epi16(high[row], _mm256_set1_epi16(16));
                    low[row] = _mm256_add_epi32(low[row], high);
                }
            }
            low
        }
    }
}

/// AVX2 with integer dot products.
pub(in super::super) struct AvxVnni;

impl Set for AvxVnni {
    const ROWS: usize = GROUP_ROWS;

    #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
    unsafe fn half<F: Form, const ROWS: usize>(half: &Half<'_>, sums: &mut [[f32; LANES]; ROWS]) {
        // SAFETY: the caller's promise.
        unsafe { multiply_half::<Self, F, ROWS>(half, sums) }
    }

    #[inline(always)]
    unsafe fn dot<F: Form, const ROWS: usize>(
        tile: Tile,
        rows: Rows,
        groups: Range<usize>,
    ) -> [__m256i; ROWS] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut products = [_mm256_setzero_si256(); ROWS];
            if F::KIND.nibbles() {
                for group in 0..HALF_GROUPS {
                    let (low, high) = tile.nibbles(group);
                    for row in 0..ROWS {
                        let quants = rows.quants(row, group);
                        products[row] = _mm256_dpbusd_avx_epi32(products[row], low, quants);
                        let quants = rows.quants(row, group + HALF_GROUPS);
                        products[row] = _mm256_dpbusd_avx_epi32(products[row], high, quants);
                    }
                }
                return products;
            }
            for group in groups {
                let line = tile.line(group);
                for row in 0..ROWS {
                    let quants = rows.quants(row, group);
                    products[row] = _mm256_dpbusd_avx_epi32(products[row], line, quants);
                }
            }
            products
        }
    }
}
