//! Passes over one row of logits: the largest of each block, and the sums of softmax weights.
//!
//! A vocabulary is a hundred times larger than the tokens that may be drawn, so a row is read
//! once for its blocks' maxima, and nearly everything after that looks at a few blocks only.
//! The loops are plain Rust over fixed lanes, compiled once per width of register. Nothing here
//! fuses a multiplication with an addition, so every instruction set gives the same bits.

use super::isa::{InstructionSet, Isa};

/// Logits whose maximum, and whose weights' sum, are kept together.
pub(crate) const BLOCK: usize = 64;

/// Numbers in the widest register.
const LANES: usize = 16;

/// How logits become softmax weights: `exp((logit - top) * sharpness)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// The largest logit; its weight is exactly 1.
    pub(crate) top: f32,
    /// One over the temperature; finite.
    pub(crate) sharpness: f32,
}

/// Replaces `maxima` with the largest number of each block of [`BLOCK`] logits; the last block
/// may be short. What is not a number is passed over: a block of nothing else has -infinity.
pub(crate) fn block_maxima(isa: Isa, logits: &[f32], maxima: &mut Vec<f32>) {
    maxima.clear();
    maxima.resize(logits.len().div_ceil(BLOCK), f32::NEG_INFINITY);
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 | InstructionSet::Avx2 | InstructionSet::AvxVnni => {
            // SAFETY: an `Isa` of these sets is only made where AVX2 was detected.
            // Registers of 512 bits were measured to be no faster here.
            #[expect(unsafe_code, reason = "compiled for a detected instruction set")]
            unsafe {
                wide::block_maxima_avx2(logits, maxima);
            }
        }
        _ => block_maxima_plain(logits, maxima),
    }
}

/// Replaces `sums` with the sum of the [`weight`]s of each block of [`BLOCK`] logits.
pub(crate) fn block_weights(isa: Isa, logits: &[f32], scale: Scale, sums: &mut Vec<f64>) {
    sums.clear();
    sums.resize(logits.len().div_ceil(BLOCK), 0.0);
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => {
            // SAFETY: an `Isa` of this set is only made where AVX-512 F was detected.
            #[expect(unsafe_code, reason = "compiled for a detected instruction set")]
            unsafe {
                wide::block_weights_avx512(logits, scale, sums);
            }
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::AvxVnni => {
            // SAFETY: an `Isa` of these sets is only made where AVX2 was detected.
            #[expect(unsafe_code, reason = "compiled for a detected instruction set")]
            unsafe {
                wide::block_weights_avx2(logits, scale, sums);
            }
        }
        _ => block_weights_plain(logits, scale, sums),
    }
}

/// The softmax weight of one logit, the same bits as inside [`block_weights`]; 0 for what is not
/// a number, for -infinity, and below the smallest normal number.
#[inline(always)]
pub(crate) fn weight(logit: f32, scale: Scale) -> f32 {
    exp((logit - scale.top) * scale.sharpness)
}

/// `e^power` for powers up to 0, to two units in the last place: Cephes' `expf`, which takes
/// whole powers of two out and leaves a polynomial of degree 6 for the rest.
#[inline(always)]
fn exp(power: f32) -> f32 {
    /// Adding this rounds a small number to a whole one, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    /// ln 2 in two parts, the first so short that multiples of it are exact.
    const LN_2: (f32, f32) = (355.0 / 512.0, -2.121_944_4e-4);
    /// Below this the result would not be a normal number.
    const LEAST: f32 = -87.0;
    let shifted = power * std::f32::consts::LOG2_E + ROUND;
    let twos = shifted - ROUND;
    let rest = (power - twos * LN_2.0) - twos * LN_2.1;
    let mut series = 1.987_569_2e-4;
    series = series * rest + 1.398_199_9e-3;
    series = series * rest + 8.333_452e-3;
    series = series * rest + 4.166_579_6e-2;
    series = series * rest + 1.666_666_5e-1;
    series = series * rest + 0.5;
    let series = series * (rest * rest) + rest + 1.0;
    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    // False where `power` is not a number, too.
    if power >= LEAST { series * power_of_two } else { 0.0 }
}

#[inline(always)]
fn block_maxima_plain(logits: &[f32], maxima: &mut [f32]) {
    let (blocks, rest) = logits.as_chunks::<BLOCK>();
    for (block, maximum) in blocks.iter().zip(maxima.iter_mut()) {
        *maximum = block_maximum(block);
    }
    if let (false, Some(maximum)) = (rest.is_empty(), maxima.last_mut()) {
        *maximum = block_maximum(&filled(rest));
    }
}

#[inline(always)]
fn block_maximum(block: &[f32; BLOCK]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for row in block.as_chunks::<LANES>().0 {
        for (lane, logit) in lanes.iter_mut().zip(row) {
            *lane = larger(*logit, *lane);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = larger(lanes[lane + width], lanes[lane]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The larger number, `most` where `logit` is none: any comparison with that is false.
#[inline(always)]
fn larger(logit: f32, most: f32) -> f32 {
    if logit > most { logit } else { most }
}

#[inline(always)]
fn block_weights_plain(logits: &[f32], scale: Scale, sums: &mut [f64]) {
    let (blocks, rest) = logits.as_chunks::<BLOCK>();
    for (block, sum) in blocks.iter().zip(sums.iter_mut()) {
        *sum = block_weight(block, scale);
    }
    if let (false, Some(sum)) = (rest.is_empty(), sums.last_mut()) {
        *sum = block_weight(&filled(rest), scale);
    }
}

/// Sums in 64 bits: what rounding leaves is far below what [`exp`] leaves.
#[inline(always)]
fn block_weight(block: &[f32; BLOCK], scale: Scale) -> f64 {
    let mut weights = [0.0_f32; BLOCK];
    for (weight, logit) in weights.iter_mut().zip(block) {
        *weight = self::weight(*logit, scale);
    }
    let mut lanes = [0.0_f64; LANES];
    for row in weights.as_chunks::<LANES>().0 {
        for (lane, weight) in lanes.iter_mut().zip(row) {
            *lane += f64::from(*weight);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// A short block, filled up with what weighs nothing.
fn filled(rest: &[f32]) -> [f32; BLOCK] {
    let mut block = [f32::NEG_INFINITY; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// The same loops, compiled for wider registers.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{Scale, block_maxima_plain, block_weights_plain};

    #[target_feature(enable = "avx2")]
    pub(super) fn block_maxima_avx2(logits: &[f32], maxima: &mut [f32]) {
        block_maxima_plain(logits, maxima);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn block_weights_avx512(logits: &[f32], scale: Scale, sums: &mut [f64]) {
        block_weights_plain(logits, scale, sums);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn block_weights_avx2(logits: &[f32], scale: Scale, sums: &mut [f64]) {
        block_weights_plain(logits, scale, sums);
    }
}

#[cfg(test)]
mod tests;
