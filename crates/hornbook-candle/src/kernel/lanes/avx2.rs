//! AVX2: a vector is two registers.
#![expect(unsafe_code, reason = "the instruction set's own operations")]

use std::arch::x86_64::*;

use crate::kernel::{InstructionSet, Isa};

use super::{HALF_MAX, Half16, Kernel, LANES, LINE_VECTORS, Lanes};

/// Proof that the machine has AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2Lanes(());

impl Avx2Lanes {
    /// `None` if `isa` is another one.
    #[inline]
    pub(crate) fn of(isa: Isa) -> Option<Self> {
        matches!(isa.set(), InstructionSet::Avx2 | InstructionSet::AvxVnni).then_some(Self(()))
    }
}

/// Lanes 0 to 7, then 8 to 15.
type Vector = (__m256, __m256);

#[target_feature(enable = "avx2,fma,f16c")]
fn run<K: Kernel>(lanes: Avx2Lanes, kernel: K) -> K::Output {
    kernel.call(lanes)
}

impl Lanes for Avx2Lanes {
    type Vector = Vector;
    const SUMS: usize = 6;

    #[inline]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { run(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, number: f32) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        let register = unsafe { _mm256_set1_ps(number) };
        (register, register)
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Vector {
        let from = numbers.as_ptr();
        // SAFETY: as above, and the array has all 16 numbers that are read.
        unsafe { (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    fn store(self, vector: Vector, numbers: &mut [f32; LANES]) {
        let to = numbers.as_mut_ptr();
        // SAFETY: as above, and the array has room for all 16 numbers.
        unsafe {
            _mm256_storeu_ps(to, vector.0);
            _mm256_storeu_ps(to.add(8), vector.1);
        }
    }

    #[inline(always)]
    fn widen(self, halves: &Half16) -> Vector {
        let from: *const __m128i = halves.as_ptr().cast();
        // SAFETY: as above, and the array has all 32 bytes that are read.
        unsafe {
            let (low, high) = (_mm_loadu_si128(from), _mm_loadu_si128(from.add(1)));
            (_mm256_cvtph_ps(low), _mm256_cvtph_ps(high))
        }
    }

    #[inline(always)]
    fn narrow(self, vector: Vector, halves: &mut Half16) {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT;
        let vector = self.max(self.splat(-HALF_MAX), vector);
        let vector = self.min(self.splat(HALF_MAX), vector);
        let to: *mut __m128i = halves.as_mut_ptr().cast();
        // SAFETY: as above, and the array has room for all 32 bytes.
        unsafe {
            _mm_storeu_si128(to, _mm256_cvtps_ph::<NEAREST>(vector.0));
            _mm_storeu_si128(to.add(1), _mm256_cvtps_ph::<NEAREST>(vector.1));
        }
    }

    #[inline(always)]
    fn add(self, left: Vector, right: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { (_mm256_add_ps(left.0, right.0), _mm256_add_ps(left.1, right.1)) }
    }

    #[inline(always)]
    fn subtract(self, left: Vector, right: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { (_mm256_sub_ps(left.0, right.0), _mm256_sub_ps(left.1, right.1)) }
    }

    #[inline(always)]
    fn multiply(self, left: Vector, right: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { (_mm256_mul_ps(left.0, right.0), _mm256_mul_ps(left.1, right.1)) }
    }

    #[inline(always)]
    fn divide(self, left: Vector, right: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { (_mm256_div_ps(left.0, right.0), _mm256_div_ps(left.1, right.1)) }
    }

    #[inline(always)]
    fn fused(self, left: Vector, right: Vector, addend: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe {
            let low = _mm256_fmadd_ps(left.0, right.0, addend.0);
            (low, _mm256_fmadd_ps(left.1, right.1, addend.1))
        }
    }

    #[inline(always)]
    fn max(self, left: Vector, right: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { (_mm256_max_ps(left.0, right.0), _mm256_max_ps(left.1, right.1)) }
    }

    #[inline(always)]
    fn min(self, left: Vector, right: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe { (_mm256_min_ps(left.0, right.0), _mm256_min_ps(left.1, right.1)) }
    }

    #[inline(always)]
    fn raise(self, vector: Vector, exponent: Vector) -> Vector {
        (raise(self, vector.0, exponent.0), raise(self, vector.1, exponent.1))
    }

    #[inline(always)]
    fn turn(self, left: Vector, right: Vector) -> Vector {
        (turn(self, left.0, right.0), turn(self, left.1, right.1))
    }

    #[inline(always)]
    fn prefetch(self, lines: &[Half16]) {
        for line in lines.chunks(LINE_VECTORS) {
            // SAFETY: as above; fetching ahead touches no memory that the program can see.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
        }
    }

    #[inline(always)]
    fn first(self, count: usize, vector: Vector, other: Vector) -> Vector {
        // SAFETY: `self` exists only where the features were detected.
        unsafe {
            let count = _mm256_set1_epi32(count.min(LANES) as i32);
            let low = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let high = _mm256_add_epi32(low, _mm256_set1_epi32(8));
            let (low, high) = (_mm256_cmpgt_epi32(count, low), _mm256_cmpgt_epi32(count, high));
            (
                _mm256_blendv_ps(other.0, vector.0, _mm256_castsi256_ps(low)),
                _mm256_blendv_ps(other.1, vector.1, _mm256_castsi256_ps(high)),
            )
        }
    }
}

#[inline(always)]
fn raise(_proof: Avx2Lanes, numbers: __m256, exponents: __m256) -> __m256 {
    // SAFETY: the proof exists only where the features were detected.
    unsafe {
        let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(exponents));
        _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(numbers), shifted))
    }
}

#[inline(always)]
fn turn(_proof: Avx2Lanes, left: __m256, right: __m256) -> __m256 {
    const SWAPPED: i32 = 0b10_11_00_01;
    // SAFETY: the proof exists only where the features were detected.
    unsafe {
        let (real, imaginary) = (_mm256_moveldup_ps(right), _mm256_movehdup_ps(right));
        let crossed = _mm256_mul_ps(_mm256_permute_ps::<SWAPPED>(left), imaginary);
        _mm256_fmaddsub_ps(left, real, crossed)
    }
}
