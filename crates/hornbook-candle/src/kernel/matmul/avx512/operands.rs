//! Blocks of tiles and rows, as registers of sixteen numbers.
#![expect(clippy::needless_range_loop, reason = "as in the module above")]

use std::arch::x86_64::{
    __m512, __m512i, _mm256_loadu_si256, _mm512_cvtph_ps, _mm512_load_si512, _mm512_loadu_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512,
};
use std::marker::PhantomData;

use super::super::super::pack::{BLOCK_INPUTS, Form, TILE_OUTPUTS};
use super::super::LINE_BYTES;

/// One block of several columns of tiles.
#[derive(Clone, Copy)]
pub(super) struct Tiles<F, const TILES: usize> {
    /// Of the first column.
    pub(super) quants: *const u8,
    pub(super) scales: *const u8,
    /// Bytes from one column to the next.
    pub(super) stride: usize,
    pub(super) form: PhantomData<F>,
}

#[expect(unsafe_code, reason = "loads from what the caller checked")]
impl<F: Form, const TILES: usize> Tiles<F, TILES> {
    /// Group `group` of four inputs, and of nibbles group `group + 4`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn lines(&self, group: usize) -> [__m512i; TILES] {
        let mut lines = [_mm512_setzero_si512(); TILES];
        for tile in 0..TILES {
            let offset = tile * self.stride + group * LINE_BYTES;
            // SAFETY: the caller's promise; columns and their blocks of quants are whole lines.
            lines[tile] = unsafe { _mm512_load_si512(self.quants.add(offset).cast()) };
        }
        lines
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn field(&self, tile: usize, number: usize) -> __m512 {
        let offset = tile * self.stride + number * TILE_OUTPUTS * F::KIND.field_bytes();
        // SAFETY: the caller's promise; a field has a scale for each of 16 outputs.
        unsafe {
            let field = self.scales.add(offset);
            if F::KIND.half() {
                _mm512_cvtph_ps(_mm256_loadu_si256(field.cast()))
            } else {
                _mm512_loadu_ps(field.cast())
            }
        }
    }
}

/// One block of `ROWS` rows.
#[derive(Clone, Copy)]
pub(super) struct Rows<const ROWS: usize>(*const u8);

#[expect(unsafe_code, reason = "loads from what the caller checked")]
impl<const ROWS: usize> Rows<ROWS> {
    /// The block that begins at `start`.
    pub(super) fn new(start: *const u8) -> Self {
        Self(start)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn quants(self, row: usize, group: usize) -> __m512i {
        // SAFETY: the caller's promise.
        let four = unsafe { self.0.add(row * BLOCK_INPUTS + group * 4).cast::<i32>() };
        // SAFETY: the same.
        _mm512_set1_epi32(unsafe { four.read_unaligned() })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn scale(self, row: usize) -> __m512 {
        // SAFETY: the caller's promise.
        _mm512_set1_ps(f32::from_bits(unsafe { self.number(0, row) }))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn scaled_sum(self, row: usize) -> __m512 {
        // SAFETY: the caller's promise.
        _mm512_set1_ps(f32::from_bits(unsafe { self.number(1, row) }))
    }

    /// Of all quants (part 0), the first 16 (part 1) or the last 16 (part 2).
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn negative_sum(self, part: usize, row: usize) -> __m512i {
        // SAFETY: the caller's promise.
        _mm512_set1_epi32(unsafe { self.number(2 + part, row) } as i32)
    }

    #[inline(always)]
    unsafe fn number(self, field: usize, row: usize) -> u32 {
        let offset = ROWS * BLOCK_INPUTS + (field * ROWS + row) * size_of::<u32>();
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset).cast::<u32>().read_unaligned() }
    }
}
