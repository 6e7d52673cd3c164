//! Blocks of tiles and rows, as registers of eight numbers.

use std::arch::x86_64::{
    __m256, __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_cvtph_ps, _mm256_load_si256,
    _mm256_loadu_ps, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_srli_epi16,
};

use super::super::super::pack::{BLOCK_INPUTS, Form, TILE_OUTPUTS};
use super::super::LINE_BYTES;

/// One block of one half of a column of tiles.
#[derive(Clone, Copy)]
pub(in super::super) struct Tile {
    pub(super) quants: *const u8,
    pub(super) scales: *const u8,
}

impl Tile {
    #[inline(always)]
    pub(super) unsafe fn line(self, group: usize) -> __m256i {
        // SAFETY: the caller's promise; columns and blocks are whole lines, and this is half of
        // one.
        unsafe { _mm256_load_si256(self.quants.wrapping_add(group * LINE_BYTES).cast()) }
    }

    /// The low and the high halves of a line's bytes.
    #[inline(always)]
    pub(super) unsafe fn nibbles(self, group: usize) -> (__m256i, __m256i) {
        // SAFETY: the caller's promise.
        unsafe {
            let mask = _mm256_set1_epi8(15);
            let both = self.line(group);
            let high = _mm256_srli_epi16::<4>(both);
            (_mm256_and_si256(both, mask), _mm256_and_si256(high, mask))
        }
    }

    #[inline(always)]
    pub(super) unsafe fn field<F: Form>(self, number: usize) -> __m256 {
        let offset = number * TILE_OUTPUTS * F::KIND.field_bytes();
        // SAFETY: the caller's promise; a field has a scale for each output.
        unsafe {
            let field = self.scales.wrapping_add(offset);
            if F::KIND.half() {
                _mm256_cvtph_ps(_mm_loadu_si128(field.cast()))
            } else {
                _mm256_loadu_ps(field.cast())
            }
        }
    }
}

/// One block of some of a group's rows.
#[derive(Clone, Copy)]
pub(in super::super) struct Rows {
    pub(super) quants: *const u8,
    pub(super) numbers: *const u8,
    /// Bytes from one of a row's numbers to the next.
    pub(super) field_bytes: usize,
}

impl Rows {
    #[inline(always)]
    pub(super) unsafe fn quants(self, row: usize, group: usize) -> __m256i {
        let four = self.quants.wrapping_add(row * BLOCK_INPUTS + group * 4).cast::<i32>();
        // SAFETY: the caller's promise.
        unsafe { _mm256_set1_epi32(four.read_unaligned()) }
    }

    #[inline(always)]
    pub(super) unsafe fn number(self, field: usize, row: usize) -> u32 {
        let offset = field.wrapping_mul(self.field_bytes).wrapping_add(row * size_of::<u32>());
        // SAFETY: the caller's promise.
        unsafe { self.numbers.wrapping_add(offset).cast::<u32>().read_unaligned() }
    }
}
