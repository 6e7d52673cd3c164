//! Log-probabilities, for those who ask.

use crate::kernel::scan::{Scale, block_weights};

use super::candidate::{Candidate, keep_likeliest};
use super::row::Row;

/// Natural log-probabilities at one place of an answer: of the model's logits after bias and
/// penalties, before temperature and cuts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logprobs {
    /// Of the drawn token.
    pub(crate) drawn: f32,
    /// The likeliest tokens and theirs, falling; equals by rising token.
    pub(crate) top: Vec<(u32, f32)>,
}

/// Measures one row after another.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    tops: usize,
    sums: Vec<f64>,
    candidates: Vec<Candidate>,
}

impl Measure {
    /// With `tops` alternatives.
    pub(super) fn new(tops: u8) -> Self {
        Self { tops: usize::from(tops), sums: Vec::new(), candidates: Vec::new() }
    }

    /// `row` has read `logits`, and `top` is their largest.
    pub(super) fn take(&mut self, row: &mut Row, top: f32, logits: &[f32], token: u32) -> Logprobs {
        block_weights(row.isa(), logits, Scale { top, sharpness: 1.0 }, &mut self.sums);
        let total = self.sums.iter().sum::<f64>().ln() + f64::from(top);
        let of = |logit: f32| (f64::from(logit) - total) as f32;
        if self.tops > 0 {
            let least = row.reached_by(self.tops);
            row.at_least(least, logits, &mut self.candidates);
            keep_likeliest(&mut self.candidates, self.tops);
        }
        Logprobs {
            drawn: of(logits[token as usize]),
            top: self.candidates.iter().map(|each| (each.token(), of(each.logit()))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Isa;

    #[test]
    fn measures_against_the_definition() {
        let mut logits: Vec<f32> =
            (0..500_u32).map(|token| (token * 37 % 101) as f32 * 0.17 - 9.0).collect();
        logits[123] = f32::NEG_INFINITY;
        let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        let mut row = Row::new(Isa::detect());
        let top = row.read(&mut logits).expect("finite logits");
        for tops in [0, 1, 5, 20] {
            let found = Measure::new(tops).take(&mut row, top, &logits, 7);
            assert!((f64::from(found.drawn) - (f64::from(logits[7]) - total)).abs() < 1e-5);
            let mut sorted: Vec<u32> = (0..500).collect();
            sorted.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
            let expected = &sorted[..usize::from(tops)];
            let tokens: Vec<u32> = found.top.iter().map(|(token, _)| *token).collect();
            assert_eq!(tokens, expected);
            for (token, logprob) in found.top {
                let expected = f64::from(logits[token as usize]) - total;
                assert!((f64::from(logprob) - expected).abs() < 1e-5);
            }
        }
    }
}
