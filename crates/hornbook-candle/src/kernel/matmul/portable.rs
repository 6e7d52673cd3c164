//! Products in plain Rust, for machines without anything better.

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
/// Groups of a block.
const GROUPS: usize = BLOCK_INPUTS / GROUP;
/// True where every machine of the architecture has fused multiplication and addition.
const FUSED: bool = cfg!(target_arch = "aarch64");

type Lanes = [f32; TILE_OUTPUTS];

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
        for (row, quants) in row_quants.chunks_exact(BLOCK_INPUTS).enumerate() {
            let number = |field: usize| read_number(numbers, field * group.rows + row);
            let sum = &mut sums[row];
            let scale = f32::from_bits(number(0));
            if F::KIND.second() == Second::Scale {
                for half in 0..2 {
                    let start = number(3 + half) as i32;
                    let groups = half * GROUPS / 2..(half + 1) * GROUPS / 2;
                    let products = dot::<F>(&weights, quants, groups, start);
                    add_scaled(sum, &products, &fields[half], scale);
                }
            } else {
                let products = dot::<F>(&weights, quants, 0..GROUPS, number(2) as i32);
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
fn unpack<F: Form>(quants: &[u8]) -> [[u8; LINE]; GROUPS] {
    let mut weights = [[0; LINE]; GROUPS];
    for (group, line) in quants.as_chunks::<LINE>().0.iter().enumerate() {
        if F::KIND.nibbles() {
            weights[group] = line.map(|both| both & 15);
            weights[group + GROUPS / 2] = line.map(|both| both >> 4);
        } else {
            weights[group] = *line;
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

/// The integer products of the four inputs of each group, from `start` times the offset on.
#[inline(always)]
fn dot<F: Form>(
    weights: &[[u8; LINE]; GROUPS],
    quants: &[u8],
    groups: Range<usize>,
    start: i32,
) -> [i32; TILE_OUTPUTS] {
    let mut products = [F::KIND.offset_bits().map_or(0, |bits| start << bits); TILE_OUTPUTS];
    for group in groups {
        for (product, weights) in products.iter_mut().zip(weights[group].as_chunks::<GROUP>().0) {
            for (weight, quant) in weights.iter().zip(&quants[group * GROUP..][..GROUP]) {
                *product += i32::from(*weight) * i32::from(*quant as i8);
            }
        }
    }
    products
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
