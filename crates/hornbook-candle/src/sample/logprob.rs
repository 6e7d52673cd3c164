//! Log-probabilities, for those who ask.

use crate::kernel::scan::{Scale, block_weights};

use super::candidate::{Candidate, keep_likeliest};
use super::row::Row;

/// Natural log-probabilities at one place of an answer: the model's own, before bias, penalties,
/// temperature and cuts, so that they say what the model thinks whatever it is made to write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logprobs {
    /// Of the drawn token.
    pub(crate) drawn: f32,
    /// The likeliest tokens and theirs, falling; equals by rising token.
    pub(crate) top: Vec<(u32, f32)>,
}

/// Measures one row after another: [`Measure::read`] before its logits change, [`Measure::take`]
/// once a token is drawn.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    tops: usize,
    sums: Vec<f64>,
    candidates: Vec<Candidate>,
    /// The logarithm of what all tokens weigh together.
    total: f64,
    /// What the logits that are about to change were.
    unchanged: Vec<(u32, f32)>,
}

impl Measure {
    /// With `tops` alternatives.
    pub(super) fn new(tops: u8) -> Self {
        Self {
            tops: usize::from(tops),
            sums: Vec::new(),
            candidates: Vec::new(),
            total: 0.0,
            unchanged: Vec::new(),
        }
    }

    /// Reads the model's logits; `row` has read them, `top` is their largest, and `changing` are
    /// the tokens whose logits may be others when [`Measure::take`] sees them.
    pub(super) fn read(
        &mut self,
        row: &mut Row,
        top: f32,
        logits: &[f32],
        changing: impl Iterator<Item = u32>,
    ) {
        block_weights(row.isa(), logits, Scale { top, sharpness: 1.0 }, &mut self.sums);
        self.total = self.sums.iter().sum::<f64>().ln() + f64::from(top);
        if self.tops > 0 {
            let least = row.reached_by(self.tops);
            row.at_least(least, logits, &mut self.candidates);
            keep_likeliest(&mut self.candidates, self.tops);
        }
        self.unchanged.clear();
        let logit = |token: u32| Some((token, *logits.get(token as usize)?));
        self.unchanged.extend(changing.filter_map(logit));
    }

    /// The log-probabilities of the row last read, `token` having been drawn from `logits`.
    pub(super) fn take(&self, logits: &[f32], token: u32) -> Logprobs {
        let of = |logit: f32| (f64::from(logit) - self.total) as f32;
        let unchanged = self.unchanged.iter().find(|(changed, _)| *changed == token);
        Logprobs {
            drawn: of(unchanged.map_or(logits[token as usize], |(_, logit)| *logit)),
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
            let mut measure = Measure::new(tops);
            measure.read(&mut row, top, &logits, [7, 9, 500].into_iter());
            // What was changed since is told as it was.
            let mut changed = logits.clone();
            changed[7] = 30.0;
            let found = measure.take(&changed, 7);
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
