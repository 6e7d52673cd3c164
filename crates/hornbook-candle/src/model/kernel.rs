//! The inner loops, compiled for the instruction set that is found at run time.
//!
//! They are plain Rust over fixed numbers of lanes, which the compiler turns into vectors. This
//! module alone holds `unsafe`: calling code that was compiled for a detected instruction set.

/// Outputs of a matrix that are computed together: two AVX2 registers, four of NEON.
pub(super) const PANEL: usize = 16;
/// Most rows that share one reading of a panel; their sums fill 12 of AVX2's 16 registers.
const ROWS: usize = 6;
/// Lanes of a dot product.
const LANES: usize = 8;
/// True where every machine of the architecture has fused multiplication and addition.
const ALWAYS_FUSED: bool = cfg!(target_arch = "aarch64");

/// One input's weights for `PANEL` outputs, or that many sums.
pub(super) type Panel = [f32; PANEL];

/// One query head group against one key head: `queries` are `[group, head_dim]`, `keys` and
/// `values` `[positions, head_dim]`.
pub(super) struct HeadGroup<'a> {
    pub(super) queries: &'a [f32],
    pub(super) keys: &'a [f32],
    pub(super) values: &'a [f32],
    pub(super) head_dim: usize,
}

/// Name of what computes here, for provenance.
pub(crate) fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if has_avx2() { "x86-64-v3 f32" } else { "x86-64 f32" }
    }
    #[cfg(target_arch = "aarch64")]
    {
        "aarch64-neon f32"
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        "portable f32"
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

/// Rows that are computed together, when there are `rows` of them: evenly spread, because one or
/// two rows left over would wait for their sums more than compute.
fn block_rows(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(ROWS).max(1)).max(1)
}

/// Interleaves rows as [`multiply`] wants them: the first numbers of all rows of a block, their
/// second numbers, and so on; then the next block.
pub(super) fn interleave(input: &[f32], inputs: usize, packed: &mut Vec<f32>) {
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
pub(super) fn multiply(panel: &[Panel], packed: &[f32], sums: &mut [Panel]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the two features that the function is compiled for were just detected.
        #[expect(unsafe_code, reason = "calling code compiled for a detected instruction set")]
        unsafe {
            multiply_avx2(panel, packed, sums);
        }
        return;
    }
    multiply_rows::<ALWAYS_FUSED>(panel, packed, sums);
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

/// Softmax(queries x keys / sqrt(head_dim)) x values; `weights` is scratch, `output` like
/// `queries`.
pub(super) fn attend(group: &HeadGroup<'_>, weights: &mut Vec<f32>, output: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the two features that the function is compiled for were just detected.
        #[expect(unsafe_code, reason = "calling code compiled for a detected instruction set")]
        unsafe {
            attend_avx2(group, weights, output);
        }
        return;
    }
    attend_lanes::<ALWAYS_FUSED>(group, weights, output);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn attend_avx2(group: &HeadGroup<'_>, weights: &mut Vec<f32>, output: &mut [f32]) {
    attend_lanes::<true>(group, weights, output);
}

#[inline(always)]
fn attend_lanes<const FUSED: bool>(
    group: &HeadGroup<'_>,
    weights: &mut Vec<f32>,
    output: &mut [f32],
) {
    let HeadGroup { queries, keys, values, head_dim } = *group;
    let positions = keys.len() / head_dim;
    let heads = queries.len() / head_dim;
    let scale = 1.0 / (head_dim as f32).sqrt();
    weights.clear();
    weights.resize(heads * positions, 0.0);
    for (position, key) in keys.chunks_exact(head_dim).enumerate() {
        for (head, query) in queries.chunks_exact(head_dim).enumerate() {
            weights[head * positions + position] = dot::<FUSED>(query, key) * scale;
        }
    }
    for weights in weights.chunks_exact_mut(positions) {
        softmax(weights);
    }
    output.fill(0.0);
    for (position, value) in values.chunks_exact(head_dim).enumerate() {
        for (head, output) in output.chunks_exact_mut(head_dim).enumerate() {
            add_scaled::<FUSED>(output, value, weights[head * positions + position]);
        }
    }
}

#[inline(always)]
fn fused<const FUSED: bool>(left: f32, right: f32, add: f32) -> f32 {
    if FUSED { left.mul_add(right, add) } else { left * right + add }
}

#[inline(always)]
fn dot<const FUSED: bool>(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            lanes[lane] = fused::<FUSED>(left[lane], right[lane], lanes[lane]);
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
fn add_scaled<const FUSED: bool>(sum: &mut [f32], addend: &[f32], scale: f32) {
    for (sum, addend) in sum.iter_mut().zip(addend) {
        *sum = fused::<FUSED>(*addend, scale, *sum);
    }
}

#[inline(always)]
fn softmax(weights: &mut [f32]) {
    let highest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for weight in weights.iter_mut() {
        *weight = (*weight - highest).exp();
        sum += *weight;
    }
    let share = 1.0 / sum;
    for weight in weights.iter_mut() {
        *weight *= share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula in doubles, written down once more and plainly.
    fn reference(group: &HeadGroup<'_>) -> Vec<f32> {
        let dim = group.head_dim;
        let mut output = Vec::new();
        for query in group.queries.chunks(dim) {
            let scores: Vec<f64> = group
                .keys
                .chunks(dim)
                .map(|key| {
                    let dot: f64 =
                        query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    (dot / (dim as f64).sqrt()).exp()
                })
                .collect();
            let sum: f64 = scores.iter().sum();
            for index in 0..dim {
                let values = group.values.chunks(dim).map(|value| f64::from(value[index]));
                let mixed: f64 = values.zip(&scores).map(|(value, score)| value * score).sum();
                output.push((mixed / sum) as f32);
            }
        }
        output
    }

    #[test]
    fn agrees_with_the_formula_at_odd_sizes() {
        let mut state = 1_u32;
        let mut numbers = |count: usize| -> Vec<f32> {
            (0..count)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / (1 << 23) as f32 - 1.0
                })
                .collect()
        };
        for (heads, positions, head_dim) in [(1, 1, 2), (3, 5, 6), (2, 17, 8), (3, 70, 64)] {
            let (queries, keys) = (numbers(heads * head_dim), numbers(positions * head_dim));
            let values = numbers(positions * head_dim);
            let group = HeadGroup { queries: &queries, keys: &keys, values: &values, head_dim };
            let expected = reference(&group);
            let mut output = vec![0.0; expected.len()];
            attend(&group, &mut Vec::new(), &mut output);
            let mut portable = output.clone();
            attend_lanes::<false>(&group, &mut Vec::new(), &mut portable);
            for ((found, portable), expected) in output.iter().zip(&portable).zip(&expected) {
                assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
                assert!((portable - expected).abs() < 1e-5, "{portable} is not {expected}");
            }
        }
    }
}
