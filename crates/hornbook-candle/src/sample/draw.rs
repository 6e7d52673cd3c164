//! Penalty, temperature, top-k, top-p, draw: the order that the Hugging Face libraries use.

use hornbook_types::Sampling;

use super::random::Random;

/// Candidates sorted first when top-k is off; nearly always they hold enough probability.
const FIRST_CANDIDATES: usize = 1_024;

/// The logits hold no finite number, so there is nothing to draw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoToken;

/// Draws one sequence's tokens.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    temperature: f32,
    top_p: f32,
    top_k: usize,
    penalty: f32,
    /// Tokens of prompt and answer, each once.
    seen: Vec<u32>,
    /// One bit per token of the vocabulary.
    seen_bits: Vec<u64>,
    random: Random,
    candidates: Vec<(f32, u32)>,
}

impl Sampler {
    /// `spared` tokens are never penalised: the marks that end an answer stand in every prompt,
    /// and pushing them down makes a model ramble on.
    pub(crate) fn new(
        sampling: &Sampling,
        seed: u64,
        vocabulary: usize,
        prompt: &[u32],
        spared: &[u32],
    ) -> Self {
        let mut sampler = Self {
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k as usize,
            penalty: sampling.repetition_penalty,
            seen: Vec::new(),
            seen_bits: vec![0; vocabulary.div_ceil(64)],
            random: Random::new(seed),
            candidates: Vec::new(),
        };
        for token in spared {
            sampler.mark_seen(*token);
        }
        for token in prompt {
            sampler.note(*token);
        }
        sampler
    }

    /// True when the token was new.
    fn mark_seen(&mut self, token: u32) -> bool {
        let bit = 1 << (token % 64);
        let Some(word) = self.seen_bits.get_mut(token as usize / 64) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn note(&mut self, token: u32) {
        if self.mark_seen(token) {
            self.seen.push(token);
        }
    }

    /// Draws the next token and remembers it; `logits` is left penalised.
    ///
    /// Ties go to the lower token, so that the answer is the same on every machine that computes
    /// the same logits.
    pub(crate) fn draw(&mut self, logits: &mut [f32]) -> Result<u32, NoToken> {
        self.penalise(logits);
        let token = if self.temperature <= 0.0 || self.top_k == 1 {
            highest(logits).ok_or(NoToken)?
        } else {
            self.collect(logits)?;
            self.choose()
        };
        self.note(token);
        Ok(token)
    }

    /// Keskar et al., 2019: a seen token's logit moves away from being drawn, whatever its sign.
    fn penalise(&self, logits: &mut [f32]) {
        if self.penalty == 1.0 {
            return;
        }
        for token in &self.seen {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit = if *logit > 0.0 { *logit / self.penalty } else { *logit * self.penalty };
            }
        }
    }

    /// Fills `candidates` with (weight, token), likeliest first, cut by top-k and top-p; weights
    /// are probabilities times a common factor.
    fn collect(&mut self, logits: &[f32]) -> Result<(), NoToken> {
        let best = highest(logits).ok_or(NoToken)?;
        let top = logits[best as usize];
        let candidates = &mut self.candidates;
        candidates.clear();
        let weighed = logits.iter().zip(0..).filter(|(logit, _)| logit.is_finite());
        candidates.extend(weighed.map(|(logit, token)| (*logit, token)));
        let whole = candidates.len();
        if self.top_k == 0 && self.top_p >= 1.0 {
            // Nothing is cut, so the order does not matter as long as it is always the same.
            weigh(candidates, top, self.temperature);
            return Ok(());
        }
        let kept = if self.top_k == 0 { whole } else { self.top_k.min(whole) };
        let sorted = if self.top_k == 0 { kept.min(FIRST_CANDIDATES) } else { kept };
        sort_first(candidates, sorted);
        candidates.truncate(kept);
        weigh(candidates, top, self.temperature);
        let total: f64 = candidates.iter().map(|(weight, _)| f64::from(*weight)).sum();
        let enough = total * f64::from(self.top_p);
        let count = match count_to(&candidates[..sorted], enough) {
            Some(count) => count,
            None => {
                // Rare: a flat distribution without top-k. Only now is everything sorted.
                sort_first(candidates, kept);
                count_to(candidates, enough).unwrap_or(kept)
            }
        };
        candidates.truncate(count);
        Ok(())
    }

    fn choose(&mut self) -> u32 {
        let total: f64 = self.candidates.iter().map(|(weight, _)| f64::from(*weight)).sum();
        let mut left = self.random.unit() * total;
        for (weight, token) in &self.candidates {
            left -= f64::from(*weight);
            if left < 0.0 {
                return *token;
            }
        }
        // Rounding may leave a hair; `collect` keeps at least one candidate.
        self.candidates.last().map_or(0, |(_, token)| *token)
    }
}

/// Turns logits into probabilities times a common factor.
fn weigh(candidates: &mut [(f32, u32)], top: f32, temperature: f32) {
    for (weight, _) in candidates {
        *weight = ((*weight - top) / temperature).exp();
    }
}

/// The finite maximum's place, the first of equals.
fn highest(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(f32, u32)> = None;
    for (logit, token) in logits.iter().zip(0..) {
        if logit.is_finite() && best.is_none_or(|(top, _)| *logit > top) {
            best = Some((*logit, token));
        }
    }
    best.map(|(_, token)| token)
}

/// Sorts the `count` largest to the front, falling; equals by rising token.
fn sort_first(candidates: &mut [(f32, u32)], count: usize) {
    let order = |left: &(f32, u32), right: &(f32, u32)| {
        right.0.total_cmp(&left.0).then(left.1.cmp(&right.1))
    };
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, order);
    }
    candidates[..count].sort_unstable_by(order);
}

/// How many candidates from the front weigh `enough`; `None` when all together do not.
fn count_to(candidates: &[(f32, u32)], enough: f64) -> Option<usize> {
    let mut weight = 0.0;
    for (index, (each, _)) in candidates.iter().enumerate() {
        weight += f64::from(*each);
        if weight >= enough {
            return Some(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests;
