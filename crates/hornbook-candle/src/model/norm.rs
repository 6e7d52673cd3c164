//! Root mean square norm.

use rayon::prelude::*;

/// Scales each row to a root mean square of one, then by `weight` (Zhang and Sennrich, 2019).
pub(super) fn rms_norm(input: &[f32], weight: &[f32], epsilon: f32, output: &mut [f32]) {
    let width = weight.len();
    output.par_chunks_mut(width).zip(input.par_chunks(width)).with_min_len(8).for_each(
        |(output, input)| {
            let mean = input.iter().map(|number| number * number).sum::<f32>() / width as f32;
            let scale = 1.0 / (mean + epsilon).sqrt();
            for ((out, number), weight) in output.iter_mut().zip(input).zip(weight) {
                *out = number * scale * weight;
            }
        },
    );
}

/// Norms every head of every row by itself, in place.
pub(super) fn norm_heads(heads: &mut [f32], weight: &[f32], epsilon: f32) {
    heads.par_chunks_mut(weight.len()).with_min_len(64).for_each(|head| {
        let mean = head.iter().map(|number| number * number).sum::<f32>() / weight.len() as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        for (number, weight) in head.iter_mut().zip(weight) {
            *number *= scale * weight;
        }
    });
}
