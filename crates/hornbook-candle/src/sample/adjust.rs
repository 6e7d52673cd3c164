//! What changes logits before a token is chosen: bias, penalties, and ends that come too early.

use std::collections::BTreeMap;

use hornbook_types::Sampling;

/// Changes one sequence's logits; touches only tokens that were named or seen.
#[derive(Clone, Debug)]
pub(super) struct Adjust {
    bias: Vec<(u32, f32)>,
    repetition: f32,
    frequency: f32,
    presence: f32,
    /// Tokens of prompt and answer, each once, without the marks that end an answer.
    seen: Vec<u32>,
    /// One bit per token of the vocabulary.
    seen_bits: Vec<u64>,
    /// How often each token stands in the answer; kept only where a penalty asks for it.
    counts: BTreeMap<u32, u32>,
    ends: Vec<u32>,
    drawn: u32,
    min_tokens: u32,
}

impl Adjust {
    /// `ends` are never penalised for being seen: they stand in every prompt, and pushing them
    /// down makes a model ramble on.
    pub(super) fn new(
        sampling: &Sampling,
        vocabulary: usize,
        prompt: &[u32],
        ends: &[u32],
    ) -> Self {
        let mut adjust = Self {
            bias: sampling.logit_bias.iter().map(|(token, bias)| (*token, *bias)).collect(),
            repetition: sampling.repetition_penalty,
            frequency: sampling.frequency_penalty,
            presence: sampling.presence_penalty,
            seen: Vec::new(),
            seen_bits: vec![0; vocabulary.div_ceil(64)],
            counts: BTreeMap::new(),
            ends: ends.to_vec(),
            drawn: 0,
            min_tokens: sampling.min_tokens,
        };
        for token in ends {
            adjust.mark_seen(*token);
        }
        for token in prompt {
            adjust.see(*token);
        }
        adjust
    }

    /// Remembers a token of the answer.
    pub(super) fn note(&mut self, token: u32) {
        self.drawn = self.drawn.saturating_add(1);
        self.see(token);
        if self.counts_answer() {
            *self.counts.entry(token).or_default() += 1;
        }
    }

    fn counts_answer(&self) -> bool {
        self.frequency != 0.0 || self.presence != 0.0
    }

    fn see(&mut self, token: u32) {
        if self.mark_seen(token) {
            self.seen.push(token);
        }
    }

    /// True when the token was new.
    fn mark_seen(&mut self, token: u32) -> bool {
        let bit = 1 << (token % 64);
        let Some(word) = self.seen_bits.get_mut(token as usize / 64) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Every token whose logit [`Adjust::apply`] may change; some more than once.
    pub(super) fn touched(&self) -> impl Iterator<Item = u32> {
        let seen = if self.repetition == 1.0 { &[][..] } else { &self.seen };
        let ends = if self.drawn < self.min_tokens { &self.ends[..] } else { &[] };
        let biased = self.bias.iter().map(|(token, _)| *token);
        biased
            .chain(seen.iter().copied())
            .chain(self.counts.keys().copied())
            .chain(ends.iter().copied())
    }

    /// Bias, repetition, frequency and presence, and the ends that `min_tokens` forbids.
    pub(super) fn apply(&self, logits: &mut [f32]) {
        for (token, bias) in &self.bias {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit += bias;
            }
        }
        if self.repetition != 1.0 {
            self.penalise_repetition(logits);
        }
        for (token, count) in &self.counts {
            if let Some(logit) = logits.get_mut(*token as usize) {
                // OpenAI: mu[j] -= c[j] * alpha_frequency + (c[j] > 0) * alpha_presence.
                *logit -= *count as f32 * self.frequency + self.presence;
            }
        }
        if self.drawn < self.min_tokens {
            for end in &self.ends {
                if let Some(logit) = logits.get_mut(*end as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
    }

    /// Keskar et al., 2019: a seen token's logit moves away from being drawn, whatever its sign.
    fn penalise_repetition(&self, logits: &mut [f32]) {
        for token in &self.seen {
            if let Some(logit) = logits.get_mut(*token as usize) {
                let penalty = self.repetition;
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neutral() -> Sampling {
        Sampling { repetition_penalty: 1.0, ..Sampling::default() }
    }

    fn applied(adjust: &Adjust, mut logits: [f32; 4]) -> [f32; 4] {
        adjust.apply(&mut logits);
        logits
    }

    #[test]
    fn repetition_divides_above_zero_multiplies_below_and_spares_ends() {
        let sampling = Sampling { repetition_penalty: 2.0, ..neutral() };
        let mut adjust = Adjust::new(&sampling, 4, &[0, 1, 2, 2], &[2]);
        assert_eq!(applied(&adjust, [4.0, -1.0, 3.0, 2.5]), [2.0, -2.0, 3.0, 2.5]);
        adjust.note(3);
        adjust.note(3);
        assert_eq!(applied(&adjust, [4.0, -1.0, 3.0, 2.5]), [2.0, -2.0, 3.0, 1.25]);
    }

    #[test]
    fn frequency_and_presence_count_the_answer_alone() {
        let frequency = Sampling { frequency_penalty: 0.5, ..neutral() };
        let presence = Sampling { presence_penalty: 0.25, ..neutral() };
        let both = Sampling { presence_penalty: 0.25, ..frequency.clone() };
        for (sampling, expected) in [
            (frequency, [1.0, 0.0, 0.5, 1.0]),
            (presence, [1.0, 0.75, 0.75, 1.0]),
            (both, [1.0, -0.25, 0.25, 1.0]),
            (Sampling { frequency_penalty: -2.0, ..neutral() }, [1.0, 5.0, 3.0, 1.0]),
        ] {
            let mut adjust = Adjust::new(&sampling, 4, &[0, 0, 1], &[3]);
            assert_eq!(applied(&adjust, [1.0; 4]), [1.0; 4], "the prompt is not counted");
            for token in [1, 2, 1] {
                adjust.note(token);
            }
            assert_eq!(applied(&adjust, [1.0; 4]), expected, "{sampling:?}");
        }
    }

    #[test]
    fn bias_comes_before_the_penalty() {
        let logit_bias = BTreeMap::from([(0, 3.0), (1, -100.0), (9, 5.0)]);
        let sampling = Sampling { repetition_penalty: 2.0, logit_bias, ..neutral() };
        let adjust = Adjust::new(&sampling, 4, &[0], &[]);
        assert_eq!(applied(&adjust, [1.0; 4]), [2.0, -99.0, 1.0, 1.0]);
    }

    /// Log-probabilities are told of logits as they were, so none may change unannounced.
    #[test]
    fn nothing_changes_but_what_is_touched() {
        let logit_bias = BTreeMap::from([(0, 3.0), (9, 5.0)]);
        for sampling in [
            neutral(),
            Sampling { logit_bias, ..neutral() },
            Sampling { repetition_penalty: 2.0, ..neutral() },
            Sampling { frequency_penalty: 0.5, ..neutral() },
            Sampling { presence_penalty: 0.5, ..neutral() },
            Sampling { min_tokens: 2, ..neutral() },
        ] {
            let mut adjust = Adjust::new(&sampling, 8, &[1], &[2]);
            adjust.note(3);
            let mut logits = [1.0; 8];
            adjust.apply(&mut logits);
            let changed: Vec<u32> = (0..8).filter(|token| logits[*token as usize] != 1.0).collect();
            let mut touched: Vec<u32> = adjust.touched().filter(|token| *token < 8).collect();
            touched.sort_unstable();
            assert_eq!(changed, touched, "{sampling:?}");
        }
    }

    #[test]
    fn no_end_before_min_tokens() {
        let sampling = Sampling { min_tokens: 2, ..neutral() };
        let mut adjust = Adjust::new(&sampling, 4, &[], &[1, 3]);
        let barred = [1.0, f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY];
        assert_eq!(applied(&adjust, [1.0; 4]), barred);
        adjust.note(0);
        assert_eq!(applied(&adjust, [1.0; 4]), barred);
        adjust.note(0);
        assert_eq!(applied(&adjust, [1.0; 4]), [1.0; 4]);
    }
}
