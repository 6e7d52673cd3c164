//! Rows of floats times panels of floats, for weights of types that have no tiles.
//!
//! Plain Rust over fixed numbers of lanes, which the compiler turns into vectors.

use super::{InstructionSet, Isa};

/// Outputs of a matrix that are computed together: two AVX2 registers, four of NEON.
pub(crate) const PANEL: usize = 16;
/// Most rows that share one reading of a panel; their sums fill 12 of AVX2's 16 registers.
const ROWS: usize = 6;
/// True where every machine of the architecture has fused multiplication and addition.
const ALWAYS_FUSED: bool = cfg!(target_arch = "aarch64");

/// One input's weights for `PANEL` outputs, or that many sums.
pub(crate) type Panel = [f32; PANEL];

/// Rows that are computed together, when there are `rows` of them: evenly spread, because one or
/// two rows left over would wait for their sums more than compute.
fn block_rows(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(ROWS).max(1)).max(1)
}

/// Interleaves rows as [`multiply_panel`] wants them: the first numbers of all rows of a block,
/// their second numbers, and so on; then the next block.
pub(crate) fn interleave(input: &[f32], inputs: usize, packed: &mut Vec<f32>) {
    packed.clear();
    for block in input.chunks(block_rows(input.len() / inputs) * inputs) {
        for index in 0..inputs {
            packed.extend(block.iter().skip(index).step_by(inputs));
        }
    }
}

/// Rows times one panel: `panel` is `[inputs]`, `packed` what [`interleave`] made, `sums` `[rows]`.
///
/// Every sum runs over the inputs in their order, whatever the number of rows.
pub(crate) fn multiply_panel(isa: Isa, panel: &[Panel], packed: &[f32], sums: &mut [Panel]) {
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 | InstructionSet::AvxVnni | InstructionSet::Avx2 => {
            // SAFETY: an `Isa` of these sets is only made where AVX2 and FMA were detected.
            #[expect(unsafe_code, reason = "compiled for a detected instruction set")]
            unsafe {
                multiply_avx2(panel, packed, sums);
            }
        }
        _ => multiply_rows::<ALWAYS_FUSED>(panel, packed, sums),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_avx2(panel: &[Panel], packed: &[f32], sums: &mut [Panel]) {
    multiply_rows::<true>(panel, packed, sums);
}

#[inline(always)]
fn multiply_rows<const FUSED: bool>(panel: &[Panel], packed: &[f32], sums: &mut [Panel]) {
    let together = block_rows(sums.len());
    let blocks = sums.chunks_mut(together).zip(packed.chunks(together * panel.len()));
    for (sums, packed) in blocks {
        match sums.len() {
            1 => multiply_block::<1, FUSED>(panel, packed, sums),
            2 => multiply_block::<2, FUSED>(panel, packed, sums),
            3 => multiply_block::<3, FUSED>(panel, packed, sums),
            4 => multiply_block::<4, FUSED>(panel, packed, sums),
            5 => multiply_block::<5, FUSED>(panel, packed, sums),
            _ => multiply_block::<ROWS, FUSED>(panel, packed, sums),
        }
    }
}

/// The sums of a few rows stay in registers while the panel streams by. Nothing in the loop can
/// panic: with a bounds check in it the compiler stores all sums at every turn.
#[inline(always)]
fn multiply_block<const COUNT: usize, const FUSED: bool>(
    panel: &[Panel],
    packed: &[f32],
    sums: &mut [Panel],
) {
    let mut totals = [[0.0_f32; PANEL]; COUNT];
    for (weights, numbers) in panel.iter().zip(packed.as_chunks::<COUNT>().0) {
        for row in 0..COUNT {
            for lane in 0..PANEL {
                totals[row][lane] = fused::<FUSED>(numbers[row], weights[lane], totals[row][lane]);
            }
        }
    }
    sums.copy_from_slice(&totals);
}

#[inline(always)]
fn fused<const FUSED: bool>(left: f32, right: f32, add: f32) -> f32 {
    if FUSED { left.mul_add(right, add) } else { left * right + add }
}
