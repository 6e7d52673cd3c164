//! Bias, penalties, `min_tokens`, temperature, top-k, top-p, min-p, draw.
//!
//! The order is that of Hugging Face's `GenerationMixin` (processors, then warpers), with OpenAI's
//! two penalties after the repetition penalty, where vLLM has them.

use hornbook_types::Sampling;

use crate::kernel::Isa;

use super::adjust::Adjust;
use super::cut::Cut;
use super::logprob::{Logprobs, Measure};
use super::random::Random;
use super::row::{NoToken, Row};

/// Draws one sequence's tokens.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    adjust: Adjust,
    row: Row,
    cut: Cut,
    random: Random,
    measure: Option<Measure>,
}

/// What a sampler is made from.
pub(crate) struct SamplerStart<'a> {
    pub(crate) sampling: &'a Sampling,
    /// Of this sequence alone.
    pub(crate) seed: u64,
    /// Tokens that there are.
    pub(crate) vocabulary: usize,
    pub(crate) prompt: &'a [u32],
    /// The marks that end an answer.
    pub(crate) ends: &'a [u32],
    /// Log-probabilities are wanted, with so many alternatives.
    pub(crate) logprobs: Option<u8>,
    pub(crate) isa: Isa,
}

/// A drawn token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) token: u32,
    /// Where they were asked for.
    pub(crate) logprobs: Option<Logprobs>,
}

impl Sampler {
    pub(crate) fn new(start: SamplerStart<'_>) -> Self {
        let SamplerStart { sampling, seed, vocabulary, prompt, ends, logprobs, isa } = start;
        Self {
            adjust: Adjust::new(sampling, vocabulary, prompt, ends),
            row: Row::new(isa),
            cut: Cut::new(sampling),
            random: Random::new(seed),
            measure: logprobs.map(Measure::new),
        }
    }

    /// Draws the next token and remembers it; `logits` is left changed.
    ///
    /// Every draw takes exactly one random number, so that the n-th token depends on the seed's
    /// n-th number whatever the settings. Ties go to the lower token, so that the answer is the
    /// same on every machine that computes the same logits.
    pub(crate) fn draw(&mut self, logits: &mut [f32]) -> Result<Drawn, NoToken> {
        let Self { adjust, row, cut, random, measure } = self;
        let unit = random.unit();
        if let Some(measure) = measure {
            let top = row.read(logits)?;
            measure.read(row, top, logits, adjust.touched());
        }
        adjust.apply(logits);
        let top = row.read(logits)?;
        let token = cut.choose(row, top, logits, unit);
        let logprobs = measure.as_ref().map(|measure| measure.take(logits, token));
        adjust.note(token);
        Ok(Drawn { token, logprobs })
    }
}

/// What is wrong with settings that only the model's vocabulary can tell.
pub(crate) fn check_vocabulary(sampling: &Sampling, vocabulary: usize) -> Result<(), String> {
    match sampling.logit_bias.last_key_value() {
        Some((token, _)) if *token as usize >= vocabulary => Err(format!(
            "/sampling/logit_bias names token {token}; the model has {vocabulary}, counted from 0"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
