//! GGML's blocks, taken apart. What they mean is fixed by ggml's `quantize_row_*_ref` and
//! `dequantize_row_*`, which candle has too; a test compares every type with candle's.

use candle_core::quantized::GgmlDType;

use super::{BLOCK_INPUTS, half};
use crate::kernel::Team;

/// Fewest blocks that one thread checks at once.
const CHECK_GRAIN: usize = 4_096;

/// 32 weights of one output as their tile stores them.
pub(super) struct Block {
    pub(super) quants: [u8; BLOCK_INPUTS],
    /// The bits of scale and second field; the low 16 where the form has 16-bit floats.
    pub(super) fields: [u32; 2],
}

impl Block {
    /// The weights `32 * number..` of a row of blocks; the type has tiles.
    pub(super) fn read(dtype: GgmlDType, row: &[u8], number: usize) -> Self {
        let per_block = dtype.block_size() / BLOCK_INPUTS;
        let bytes = &row[number / per_block * dtype.type_size()..][..dtype.type_size()];
        let part = number % per_block;
        match dtype {
            GgmlDType::Q4_0 => Self::new(nibbles(&bytes[2..]), [word(bytes, 0), 0]),
            GgmlDType::Q4_1 => Self::new(nibbles(&bytes[4..]), [word(bytes, 0), word(bytes, 2)]),
            GgmlDType::Q5_0 => {
                // 5 bits less 16 are 8 bits less 128.
                let quants = with_fifth_bits(&bytes[2..]).map(|quant| quant + (128 - 16));
                Self::new(quants, [word(bytes, 0), 0])
            }
            GgmlDType::Q5_1 => {
                let fields = [float(bytes, 0), float(bytes, 2)];
                Self::wide(with_fifth_bits(&bytes[4..]), fields)
            }
            GgmlDType::Q8_0 => {
                let quants = std::array::from_fn(|input| bytes[2 + input] ^ 0x80);
                Self::new(quants, [word(bytes, 0), 0])
            }
            GgmlDType::Q4K => Self::wide(half_bytes(&bytes[16..], part), k_fields(bytes, part)),
            GgmlDType::Q5K => {
                let (high, low) = bytes[16..].split_at(32);
                let mut quants = half_bytes(low, part);
                for (quant, high) in quants.iter_mut().zip(high) {
                    *quant |= (high >> part & 1) << 4;
                }
                Self::wide(quants, k_fields(bytes, part))
            }
            _ => q6_k(bytes, part),
        }
    }

    fn new(quants: [u8; BLOCK_INPUTS], fields: [u32; 2]) -> Self {
        Self { quants, fields }
    }

    fn wide(quants: [u8; BLOCK_INPUTS], fields: [f32; 2]) -> Self {
        Self { quants, fields: fields.map(f32::to_bits) }
    }
}

/// Whether every scale in those blocks is a number.
pub(super) fn all_finite(team: &Team, dtype: GgmlDType, blocks: &[u8]) -> bool {
    let halves: &[usize] = match dtype {
        GgmlDType::Q4_0 | GgmlDType::Q5_0 | GgmlDType::Q8_0 => &[0],
        GgmlDType::Q6K => &[208],
        _ => &[0, 2],
    };
    let bad = std::sync::atomic::AtomicBool::new(false);
    let size = dtype.type_size();
    team.run(blocks.len() / size, CHECK_GRAIN, |range| {
        let mut blocks = blocks[range.start * size..range.end * size].chunks_exact(size);
        if !blocks.all(|block| halves.iter().all(|at| half::is_finite(word(block, *at) as u16))) {
            bad.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    !bad.into_inner()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8
}

fn float(bytes: &[u8], at: usize) -> f32 {
    half::to_float(word(bytes, at) as u16)
}

/// Inputs 0 to 15 in the low halves of 16 bytes, 16 to 31 in the high ones.
fn nibbles(bytes: &[u8]) -> [u8; BLOCK_INPUTS] {
    std::array::from_fn(|input| bytes[input % 16] >> (input / 16 * 4) & 15)
}

/// The same with a fifth bit each, from the 32-bit word in front.
fn with_fifth_bits(bytes: &[u8]) -> [u8; BLOCK_INPUTS] {
    let high = word(bytes, 0) | word(bytes, 2) << 16;
    let low = nibbles(&bytes[4..]);
    std::array::from_fn(|input| low[input] | ((high >> input & 1) << 4) as u8)
}

/// Of a K type: part `2n` in the low halves of the `n`th 32 bytes, `2n + 1` in the high ones.
fn half_bytes(bytes: &[u8], part: usize) -> [u8; BLOCK_INPUTS] {
    std::array::from_fn(|input| bytes[part / 2 * 32 + input] >> (part % 2 * 4) & 15)
}

/// Scale and min of one part of a Q4_K or Q5_K block: 6 bits each, packed in 12 bytes, times the
/// block's own.
fn k_fields(bytes: &[u8], part: usize) -> [f32; 2] {
    let packed = &bytes[4..16];
    let (scale, min) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (
            packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
            packed[part + 4] >> 4 | packed[part] >> 6 << 4,
        )
    };
    [float(bytes, 0) * f32::from(scale), -(float(bytes, 2) * f32::from(min))]
}

/// One part of a Q6_K block: 4 low bits in `bytes[..128]`, 2 high ones in the next 64, a signed
/// scale for every 16 weights in the next 16, the block's own in the last 2.
fn q6_k(bytes: &[u8], part: usize) -> Block {
    let (half, quarter) = (part / 4, part % 4);
    let low = &bytes[half * 64 + quarter % 2 * 32..];
    let high = &bytes[128 + half * 32..];
    let quants = std::array::from_fn(|input| {
        low[input] >> (quarter / 2 * 4) & 15 | (high[input] >> (quarter * 2) & 3) << 4
    });
    let scale = |at: usize| float(bytes, 208) * f32::from(bytes[192 + at] as i8);
    Block::wide(quants, [scale(part * 2), scale(part * 2 + 1)])
}
