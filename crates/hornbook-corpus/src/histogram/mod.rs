//! How a number is spread over any number of documents, in bounded memory and whatever their order.

mod bins;
mod svg;

use std::collections::BTreeMap;

use hornbook_types::Distribution;

pub(crate) use svg::{Chart, Strip, chart, number};

/// Bits of a double's fraction that tell buckets apart: neighbours differ by 2^-7 at most, whole numbers up to 256 by all.
const FRACTION_BITS: u32 = 7;
/// Bits of a double that are cut off.
const CUT_BITS: u32 = f64::MANTISSA_DIGITS - 1 - FRACTION_BITS;
/// Numbers that are nearer to zero count as zero.
const SMALLEST: f64 = 1.0 / 1_048_576.0;
/// Numbers that are farther from zero count as this.
const LARGEST: f64 = 1_099_511_627_776.0;

/// Counts of a number's values in buckets of equal relative width; at most 15,361 of them.
///
/// The bucket of a value is the beginning of its own bits, so that counting takes neither logarithm nor
/// bounds that are known beforehand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketch {
    counts: BTreeMap<i64, u64>,
    documents: u64,
    sum: f64,
    min: f64,
    max: f64,
    /// Whether any value is no whole number.
    has_fractions: bool,
}

impl Sketch {
    /// Counts a document's value; one that is not a number counts for nothing.
    pub(crate) fn note(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = value.clamp(-LARGEST, LARGEST);
        *self.counts.entry(bucket_of(value)).or_default() += 1;
        (self.min, self.max) = if self.documents == 0 {
            (value, value)
        } else {
            (self.min.min(value), self.max.max(value))
        };
        self.has_fractions |= value.fract() != 0.0;
        self.documents += 1;
        self.sum += value;
    }

    /// True when no document has the number.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// The smallest value below or at which `share` of the documents are, by the middle of its bucket.
    fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.documents as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (&bucket, &count) in &self.counts {
            seen += count;
            if seen >= wanted {
                let (low, high) = bounds(bucket);
                // Buckets of whole numbers below 256 hold one value each.
                let is_exact = !self.has_fractions && low.abs() < 256.0;
                let middle = match is_exact {
                    true if bucket < 0 => high,
                    true => low,
                    false => (low + high) / 2.0,
                };
                return middle.clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// What there is to say of it, rounded to four decimals.
    pub(crate) fn distribution(&self) -> Distribution {
        if self.is_empty() {
            return Distribution::default();
        }
        Distribution {
            documents: self.documents,
            mean: rounded(self.sum / self.documents as f64),
            min: rounded(self.min),
            p5: rounded(self.quantile(0.05)),
            p25: rounded(self.quantile(0.25)),
            p50: rounded(self.quantile(0.5)),
            p75: rounded(self.quantile(0.75)),
            p95: rounded(self.quantile(0.95)),
            max: rounded(self.max),
            bins: bins::bins(self),
        }
    }
}

/// The bucket of a value: ordered as values are.
fn bucket_of(value: f64) -> i64 {
    if value.abs() < SMALLEST {
        return 0;
    }
    // Fewer than 2^19 are left, which is far from the sign.
    let magnitude = (value.abs().to_bits() >> CUT_BITS) as i64;
    if value < 0.0 { -magnitude } else { magnitude }
}

/// The least and the greatest value of a bucket.
fn bounds(bucket: i64) -> (f64, f64) {
    if bucket == 0 {
        return (0.0, 0.0);
    }
    let near = f64::from_bits(bucket.unsigned_abs() << CUT_BITS);
    let far = f64::from_bits((bucket.unsigned_abs() + 1) << CUT_BITS);
    if bucket < 0 { (-far, -near) } else { (near, far) }
}

/// Four decimals; no negative zero.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: impl IntoIterator<Item = f64>) -> Sketch {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|value| sketch.note(value));
        sketch
    }

    #[test]
    fn whole_numbers_up_to_256_are_exact() {
        let it = sketch((1..=200).map(f64::from)).distribution();
        assert_eq!((it.documents, it.min, it.max, it.mean), (200, 1.0, 200.0, 100.5));
        assert_eq!((it.p5, it.p25, it.p50, it.p75, it.p95), (10.0, 50.0, 100.0, 150.0, 190.0));
    }

    #[test]
    fn quantiles_are_within_a_hundredth() {
        for scale in [1e-3, 1.0, 1e6] {
            let it = sketch((1..=10_000).map(|n| f64::from(n) * scale)).distribution();
            for (found, share) in [(it.p5, 0.05), (it.p50, 0.5), (it.p95, 0.95)] {
                let right = 10_000.0 * share * scale;
                // Four decimals are all that is told.
                assert!((found - right).abs() <= right * 0.01 + 5e-5, "{found} for {right}");
            }
        }
    }

    #[test]
    fn every_document_is_in_one_bin() {
        let cases = [
            sketch([]),
            sketch([7.0]),
            sketch([-3.5, -0.25, 0.0, 1e-30, 2.0, 9.75]),
            sketch([0.0, 1.0]),
            sketch((0..5_000).map(|n| f64::from(n % 37) / 36.0)),
            sketch((0..5_000).map(|n| f64::from(n * n))),
            sketch([f64::NAN, f64::INFINITY, 1e300, -1e300]),
        ];
        for case in cases {
            let it = case.distribution();
            let all: u64 = it.bins.iter().map(|bin| bin.documents).sum();
            assert_eq!(all, it.documents);
            for pair in it.bins.windows(2) {
                assert!(pair[0].to == pair[1].from && pair[0].from < pair[0].to, "{:?}", it.bins);
            }
            if let (Some(first), Some(last)) = (it.bins.first(), it.bins.last()) {
                assert!(first.from <= it.min && it.max <= last.to, "{it:?}");
            }
            assert!(it.bins.len() <= bins::BINS_MAX + 1);
        }
    }

    #[test]
    fn the_order_of_values_makes_no_difference() {
        let forward = sketch((0..1_000).map(f64::from)).distribution();
        let backward = sketch((0..1_000).rev().map(f64::from)).distribution();
        assert_eq!(forward, backward);
    }
}
