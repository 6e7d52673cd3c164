//! The bars of a histogram: between round numbers, at most forty.

use hornbook_types::Bin;

use super::{Sketch, bounds, rounded};

/// Bars that a histogram may have, one more where round numbers do not meet the ends.
pub(super) const BINS_MAX: usize = 40;
/// Widths that read well, times a power of ten.
const STEPS: [f64; 4] = [1.0, 2.0, 2.5, 5.0];
/// The powers of ten; sixty octaves of values fit.
const POWERS: [f64; 17] =
    [1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];
/// Where the largest value is more than so many times the smallest, bars grow with what they count.
const WIDE: f64 = 20.0;
/// Edges of bars that grow, within an octave; all of them are exact in binary.
const PARTS: [&[f64]; 3] = [&[1.0, 1.25, 1.5, 1.75], &[1.0, 1.5], &[1.0]];

/// The bars; equal in width, or, for positive numbers with a long tail, in proportion.
pub(super) fn bins(sketch: &Sketch) -> Vec<Bin> {
    let (low, high) = (sketch.min, sketch.max);
    let has_tail = low > 0.0 && high / low > WIDE && high > sketch.quantile(0.95) * 2.0;
    let edges = if has_tail { growing(low, high) } else { even(low, high, !sketch.has_fractions) };
    let mut bins: Vec<Bin> = edges
        .windows(2)
        .map(|pair| Bin { from: rounded(pair[0]), to: rounded(pair[1]), documents: 0 })
        .collect();
    for (&bucket, &count) in &sketch.counts {
        // A bucket that an edge cuts counts where its lower end lies.
        let value = bounds(bucket).0.max(low);
        let after = edges.partition_point(|&edge| edge <= value);
        let place = after.saturating_sub(1).min(bins.len().saturating_sub(1));
        if let Some(bin) = bins.get_mut(place) {
            bin.documents += count;
        }
    }
    bins
}

/// Edges at multiples of a round number.
fn even(low: f64, high: f64, is_whole: bool) -> Vec<f64> {
    let fits = |width: &f64| {
        let is_round = !is_whole || width.fract() == 0.0;
        is_round && (high - low) / width <= BINS_MAX as f64 - 1.0
    };
    let mut widths = POWERS.iter().flat_map(|power| STEPS.iter().map(move |step| power * step));
    let step = widths.find(fits).unwrap_or(super::LARGEST);
    let first = (low / step).floor();
    let count = ((high / step).floor() - first) as usize + 1;
    (0..=count).map(|n| (first + n as f64) * step).collect()
}

/// Edges in proportion to what they count.
fn growing(low: f64, high: f64) -> Vec<f64> {
    let octave = |value: f64| bounds(super::bucket_of(value)).0.to_bits() >> 52;
    let (first, last) = (octave(low), octave(high));
    let parts = PARTS.iter().find(|parts| (last - first + 1) as usize * parts.len() <= BINS_MAX);
    // Sixty octaves are too many bars even with one each.
    let (parts, stride) = parts.map_or((PARTS[2], 2), |parts| (*parts, 1));
    let mut edges: Vec<f64> = (first..=last + stride)
        .step_by(stride as usize)
        .flat_map(|octave| {
            let one = f64::from_bits(octave << 52);
            parts.iter().map(move |part| part * one)
        })
        .collect();
    // Bars before the first value and after the last one would be empty.
    let begin = edges.partition_point(|&edge| edge <= low).saturating_sub(1);
    edges.drain(..begin);
    let end = edges.partition_point(|&edge| edge <= high);
    edges.truncate(end + 1);
    edges
}
