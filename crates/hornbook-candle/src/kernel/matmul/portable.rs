//! Products in plain Rust, for machines without anything better.
//!
//! Weights are unpacked to 16 bits once for a group's rows, output by output: a sum of products of
//! such numbers is what compilers find vectors for on every machine.

use std::ops::Range;

use super::super::half;
use super::super::pack::{
    BLOCK_INPUTS, Bytes, BytesSplit, BytesWideMin, Form, Kind, Nibbles, NibblesMin, NibblesWideMin,
    Second, TILE_OUTPUTS,
};
use super::super::quantise::{GROUP_ROWS, QuantisedRows, ROW_BLOCK_BYTES, RowGroup};
use super::Target;

/// Inputs of one line of quants.
const GROUP: usize = 4;
/// Bytes of one line of quants.
const LINE: usize = TILE_OUTPUTS * GROUP;
/// Inputs of half a block.
const HALF: usize = BLOCK_INPUTS / 2;
/// True where every machine of the architecture has fused multiplication and addition.
const FUSED: bool = cfg!(target_arch = "aarch64");

type Lanes = [f32; TILE_OUTPUTS];
/// A block's quants, output by output.
type Weights = [[i16; BLOCK_INPUTS]; TILE_OUTPUTS];

/// All rows times those tiles.
pub(super) fn multiply(target: &Target<'_>, tiles: Range<usize>, rows: &QuantisedRows) {
    let multiply_tile = match target.matrix.kind() {
        Kind::Nibbles => multiply_tile::<Nibbles>,
        Kind::NibblesMin => multiply_tile::<NibblesMin>,
        Kind::NibblesWideMin => multiply_tile::<NibblesWideMin>,
        Kind::Bytes => multiply_tile::<Bytes>,
        Kind::BytesWideMin => multiply_tile::<BytesWideMin>,
        Kind::BytesSplit => multiply_tile::<BytesSplit>,
    };
    for tile in tiles {
        for group in rows.groups() {
            multiply_tile(target, tile, group);
        }
    }
}

fn multiply_tile<F: Form>(target: &Target<'_>, tile: usize, group: RowGroup<'_>) {
    let quant_bytes = F::KIND.quant_bytes();
    let (quants, scales) =
        target.matrix.column(tile).split_at(target.matrix.blocks() * quant_bytes);
    let blocks = quants
        .chunks_exact(quant_bytes)
        .zip(scales.chunks_exact(F::KIND.scale_bytes()))
        .zip(group.bytes.chunks_exact(group.rows * ROW_BLOCK_BYTES));
    let mut sums = [[0.0; TILE_OUTPUTS]; GROUP_ROWS];
    for ((quants, scales), rows) in blocks {
        let weights = unpack::<F>(quants);
        let fields = [0, F::KIND.fields() - 1].map(|field| read_field::<F>(scales, field));
        let (row_quants, numbers) = rows.split_at(group.rows * BLOCK_INPUTS);
        for (row, quants) in row_quants.as_chunks::<BLOCK_INPUTS>().0.iter().enumerate() {
            let quants = quants.map(|quant| i16::from(quant as i8));
            let number = |field: usize| read_number(numbers, field * group.rows + row);
            let sum = &mut sums[row];
            let scale = f32::from_bits(number(0));
            if F::KIND.second() == Second::Scale {
                for (half, scales) in fields.iter().enumerate() {
                    let start = number(3 + half) as i32;
                    let products = dot::<F, HALF>(&weights, &quants, half * HALF, start);
                    add_scaled(sum, &products, scales, scale);
                }
            } else {
                let start = number(2) as i32;
                let products = dot::<F, BLOCK_INPUTS>(&weights, &quants, 0, start);
                add_scaled(sum, &products, &fields[0], scale);
            }
            if F::KIND.second() == Second::Min {
                let scaled_sum = f32::from_bits(number(1));
                for (sum, min) in sum.iter_mut().zip(&fields[1]) {
                    *sum = fused(*min, scaled_sum, *sum);
                }
            }
        }
    }
    target.store(group, tile, &sums[..group.rows]);
}

#[inline(always)]
fn unpack<F: Form>(quants: &[u8]) -> Weights {
    let mut weights = [[0; BLOCK_INPUTS]; TILE_OUTPUTS];
    for (group, line) in quants.as_chunks::<LINE>().0.iter().enumerate() {
        for (output, four) in line.as_chunks::<GROUP>().0.iter().enumerate() {
            for (input, quant) in four.iter().enumerate() {
                let input = group * GROUP + input;
                if F::KIND.nibbles() {
                    weights[output][input] = i16::from(quant & 15);
                    weights[output][input + HALF] = i16::from(quant >> 4);
                } else {
                    weights[output][input] = i16::from(*quant);
                }
            }
        }
    }
    weights
}

#[inline(always)]
fn read_field<F: Form>(scales: &[u8], field: usize) -> Lanes {
    let width = F::KIND.field_bytes();
    let bytes = &scales[field * TILE_OUTPUTS * width..][..TILE_OUTPUTS * width];
    std::array::from_fn(|lane| {
        if F::KIND.half() {
            half::to_float(u16::from_le_bytes([bytes[lane * 2], bytes[lane * 2 + 1]]))
        } else {
            f32::from_bits(read_number(bytes, lane))
        }
    })
}

#[inline(always)]
fn read_number(bytes: &[u8], index: usize) -> u32 {
    let bytes = &bytes[index * 4..][..4];
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The integer products of a part of the inputs, from `start` times the offset on.
#[inline(always)]
fn dot<F: Form, const PART: usize>(
    weights: &Weights,
    quants: &[i16; BLOCK_INPUTS],
    first: usize,
    start: i32,
) -> [i32; TILE_OUTPUTS] {
    let mut products = [F::KIND.offset_bits().map_or(0, |bits| start << bits); TILE_OUTPUTS];
    let Some(quants) = quants[first..].first_chunk::<PART>() else { return products };
    for (product, weights) in products.iter_mut().zip(weights) {
        if let Some(weights) = weights[first..].first_chunk() {
            *product = product.wrapping_add(sum_of_products(weights, quants));
        }
    }
    products
}

/// Never inlined: with several outputs in sight the compiler looks for vectors across them and
/// gathers each one's numbers, which is ten times as slow.
#[inline(never)]
fn sum_of_products<const PART: usize>(weights: &[i16; PART], quants: &[i16; PART]) -> i32 {
    let products = weights.iter().zip(quants).map(|(w, q)| i32::from(*w) * i32::from(*q));
    products.fold(0, i32::wrapping_add)
}

#[inline(always)]
fn add_scaled(sum: &mut Lanes, products: &[i32; TILE_OUTPUTS], scales: &Lanes, row_scale: f32) {
    for ((sum, product), scale) in sum.iter_mut().zip(products).zip(scales) {
        *sum = fused(*product as f32, scale * row_scale, *sum);
    }
}

#[inline(always)]
fn fused(left: f32, right: f32, addend: f32) -> f32 {
    if FUSED { left.mul_add(right, addend) } else { left * right + addend }
}
