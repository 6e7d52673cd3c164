//! 32 numbers of a row become quants.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128i, __m512, _mm_add_epi32, _mm_cvtsi128_si32, _mm_shuffle_epi32, _mm_storeu_si128,
    _mm256_castsi128_si256, _mm256_castsi256_si128, _mm256_dpbusd_epi32, _mm256_extracti128_si256,
    _mm256_inserti128_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm512_add_ps,
    _mm512_and_si512, _mm512_castps_si512, _mm512_cvtepi32_epi8, _mm512_loadu_ps, _mm512_max_epu32,
    _mm512_mul_ps, _mm512_reduce_max_epu32, _mm512_set1_epi32, _mm512_set1_ps,
};

use super::BLOCK_INPUTS;

/// The largest quant; its negative is the smallest.
const QUANT_MAX: f32 = 127.0;
/// Numbers that are all smaller than this count as zero: the quotient below stays finite.
const SMALLEST: f32 = 1e-30;
/// Numbers that are looked at side by side.
const LANES: usize = BLOCK_INPUTS / 2;
/// All bits of a float but its sign.
const MAGNITUDE: u32 = 0x7fff_ffff;
/// 1.5 * 2^23: adding it to a float below 2^22 leaves its nearest integer, ties to even, in the
/// low byte; on every machine alike.
const ROUND: f32 = 12_582_912.0;

/// Where a row's first block lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The group's block.
    pub(super) block: *mut u8,
    /// Rows of the group.
    pub(super) rows: usize,
    /// Place of the row among them.
    pub(super) row: usize,
}

/// 32 numbers of one row, all but the quants.
struct Block {
    scale: f32,
    /// Sum of the first 16 quants.
    low: i32,
    /// Sum of the last 16.
    high: i32,
}

#[expect(unsafe_code, reason = "stores into memory that several threads share")]
impl Place {
    /// Where the quants go.
    ///
    /// # Safety
    /// That of [`write()`].
    #[inline(always)]
    unsafe fn quants(self) -> *mut [i8; BLOCK_INPUTS] {
        // SAFETY: a block begins with 32 bytes for each of its rows.
        unsafe { self.block.add(self.row * BLOCK_INPUTS).cast() }
    }

    /// Stores the rest and goes to the next block.
    ///
    /// # Safety
    /// That of [`write()`].
    #[inline(always)]
    unsafe fn put(&mut self, Block { scale, low, high }: Block) {
        let Self { rows, row, .. } = *self;
        let all = low + high;
        // SAFETY: five numbers for each row follow the quants.
        unsafe {
            let fields = self.block.add(rows * BLOCK_INPUTS + row * 4).cast::<u32>();
            fields.write_unaligned(scale.to_bits());
            fields.add(rows).write_unaligned((scale * all as f32).to_bits());
            fields.add(2 * rows).write_unaligned((-all) as u32);
            fields.add(3 * rows).write_unaligned((-low) as u32);
            fields.add(4 * rows).write_unaligned((-high) as u32);
            self.block = self.block.add(rows * super::ROW_BLOCK_BYTES);
        }
    }
}

/// Quantises and stores block after block.
///
/// # Safety
/// From `place.block` on lie `numbers.len()` blocks of `place.rows` rows, `place.row` is one of
/// them, and its bytes may be written.
#[inline(always)]
#[expect(unsafe_code, reason = "stores into memory that several threads share")]
pub(super) unsafe fn write(mut place: Place, numbers: &[[f32; BLOCK_INPUTS]]) {
    for numbers in numbers {
        let (quants, block) = quantise(numbers);
        // SAFETY: the caller's promise.
        unsafe {
            place.quants().write_unaligned(quants);
            place.put(block);
        }
    }
}

/// The same with AVX2.
///
/// # Safety
/// That of [`write()`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "as `write`")]
pub(super) unsafe fn write_avx2(place: Place, numbers: &[[f32; BLOCK_INPUTS]]) {
    // SAFETY: the caller's promise.
    unsafe { write(place, numbers) }
}

/// The same with AVX-512.
///
/// # Safety
/// That of [`write()`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[expect(unsafe_code, reason = "as `write`")]
pub(super) unsafe fn write_avx512(mut place: Place, numbers: &[[f32; BLOCK_INPUTS]]) {
    let magnitude = _mm512_set1_epi32(MAGNITUDE as i32);
    for numbers in numbers {
        // SAFETY: the loads are the two halves of 32 floats, the stores those of 32 bytes that
        // the caller promises.
        unsafe {
            let low = _mm512_loadu_ps(numbers.as_ptr());
            let high = _mm512_loadu_ps(numbers.as_ptr().add(LANES));
            let bits = _mm512_max_epu32(
                _mm512_and_si512(_mm512_castps_si512(low), magnitude),
                _mm512_and_si512(_mm512_castps_si512(high), magnitude),
            );
            let (scale, inverse) = scales(f32::from_bits(_mm512_reduce_max_epu32(bits)));
            let (low, high) = (round(low, inverse), round(high, inverse));
            let quants = place.quants().cast::<__m128i>();
            _mm_storeu_si128(quants, low);
            _mm_storeu_si128(quants.add(1), high);
            let both = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high);
            let ones = _mm256_set1_epi8(1);
            let fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), ones, both);
            let low = sum(_mm256_castsi256_si128(fours));
            let high = sum(_mm256_extracti128_si256::<1>(fours));
            place.put(Block { scale, low, high });
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn round(numbers: __m512, inverse: f32) -> __m128i {
    let scaled = _mm512_mul_ps(numbers, _mm512_set1_ps(inverse));
    _mm512_cvtepi32_epi8(_mm512_castps_si512(_mm512_add_ps(scaled, _mm512_set1_ps(ROUND))))
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn sum(four: __m128i) -> i32 {
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b1110>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b01>(two)))
}

/// The size of a step, and how many there are in one, when the largest magnitude is `most`.
///
/// A number that is not finite makes the scale so too, and with it every product of the row: it
/// is not hidden.
#[inline(always)]
fn scales(most: f32) -> (f32, f32) {
    if most < SMALLEST { (0.0, 0.0) } else { (most / QUANT_MAX, QUANT_MAX / most) }
}

/// The nearest multiples of 1/127 of the largest magnitude.
#[inline(always)]
fn quantise(numbers: &[f32; BLOCK_INPUTS]) -> ([i8; BLOCK_INPUTS], Block) {
    // Magnitudes are in the order of their bits, and NaN above them all.
    let mut bits = [0_u32; LANES];
    for numbers in numbers.as_chunks::<LANES>().0 {
        for (bits, number) in bits.iter_mut().zip(numbers) {
            *bits = (*bits).max(number.to_bits() & MAGNITUDE);
        }
    }
    let (scale, inverse) = scales(f32::from_bits(bits.into_iter().max().unwrap_or_default()));
    let mut quants = [0_i8; BLOCK_INPUTS];
    for (quant, number) in quants.iter_mut().zip(numbers) {
        // Of what is not finite only the lowest byte is kept, like that of the others.
        *quant = (number * inverse + ROUND).to_bits() as i8;
    }
    let mut sums = [0_i32; 2];
    for (sum, quants) in sums.iter_mut().zip(quants.as_chunks::<LANES>().0) {
        for quant in quants {
            *sum += i32::from(*quant);
        }
    }
    (quants, Block { scale, low: sums[0], high: sums[1] })
}
