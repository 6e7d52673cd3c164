//! AVX-512: a vector is one register.
#![expect(unsafe_code, reason = "the instruction set's own operations")]

use std::arch::x86_64::*;

use crate::kernel::{InstructionSet, Isa};

use super::{HALF_MAX, Half16, Kernel, LANES, LINE_VECTORS, Lanes};

/// Proof that the machine has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512Lanes(());

impl Avx512Lanes {
    /// `None` if `isa` is another one.
    #[inline]
    pub(crate) fn of(isa: Isa) -> Option<Self> {
        (isa.set() == InstructionSet::Avx512).then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn run<K: Kernel>(lanes: Avx512Lanes, kernel: K) -> K::Output {
    kernel.call(lanes)
}

impl Lanes for Avx512Lanes {
    type Vector = __m512;
    const SUMS: usize = 24;

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { run(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, number: f32) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_set1_ps(number) }
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> __m512 {
        // SAFETY: as above, and the array has all 16 numbers that are read.
        unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: __m512, numbers: &mut [f32; LANES]) {
        // SAFETY: as above, and the array has room for all 16 numbers.
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn widen(self, halves: &Half16) -> __m512 {
        // SAFETY: as above, and the array has all 32 bytes that are read.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast())) }
    }

    #[inline(always)]
    fn narrow(self, vector: __m512, halves: &mut Half16) {
        let vector = self.max(self.splat(-HALF_MAX), vector);
        let vector = self.min(self.splat(HALF_MAX), vector);
        // SAFETY: as above, and the array has room for all 32 bytes.
        unsafe {
            let narrowed = _mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT }>(vector);
            _mm256_storeu_si256(halves.as_mut_ptr().cast(), narrowed);
        }
    }

    #[inline(always)]
    fn add(self, left: __m512, right: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_add_ps(left, right) }
    }

    #[inline(always)]
    fn subtract(self, left: __m512, right: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_sub_ps(left, right) }
    }

    #[inline(always)]
    fn multiply(self, left: __m512, right: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_mul_ps(left, right) }
    }

    #[inline(always)]
    fn divide(self, left: __m512, right: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_div_ps(left, right) }
    }

    #[inline(always)]
    fn fused(self, left: __m512, right: __m512, addend: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_fmadd_ps(left, right, addend) }
    }

    #[inline(always)]
    fn max(self, left: __m512, right: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_max_ps(left, right) }
    }

    #[inline(always)]
    fn min(self, left: __m512, right: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_min_ps(left, right) }
    }

    #[inline(always)]
    fn raise(self, vector: __m512, exponent: __m512) -> __m512 {
        // SAFETY: `self` exists only where the features were detected.
        unsafe {
            let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(exponent));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(vector), shifted))
        }
    }

    #[inline(always)]
    fn turn(self, left: __m512, right: __m512) -> __m512 {
        const SWAPPED: i32 = 0b10_11_00_01;
        // SAFETY: `self` exists only where the features were detected.
        unsafe {
            let (real, imaginary) = (_mm512_moveldup_ps(right), _mm512_movehdup_ps(right));
            let crossed = _mm512_mul_ps(_mm512_permute_ps::<SWAPPED>(left), imaginary);
            _mm512_fmaddsub_ps(left, real, crossed)
        }
    }

    #[inline(always)]
    fn prefetch(self, lines: &[Half16]) {
        for line in lines.chunks(LINE_VECTORS) {
            // SAFETY: as above; fetching ahead touches no memory that the program can see.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
        }
    }

    #[inline(always)]
    fn first(self, count: usize, vector: __m512, other: __m512) -> __m512 {
        let mask = ((1_u32 << count.min(LANES)) - 1) as __mmask16;
        // SAFETY: `self` exists only where the features were detected.
        unsafe { _mm512_mask_blend_ps(mask, other, vector) }
    }
}
