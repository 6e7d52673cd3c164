//! Temperature, top-k, top-p, min-p and the draw itself, without sorting the vocabulary.
//!
//! What is cut is always a run of the likeliest tokens, so a lower bound on the logit of the last
//! one is enough to collect everything that may stay; only that is sorted.

use hornbook_types::Sampling;

use crate::kernel::scan::{BLOCK, Scale, block_weights, weight};

use super::candidate::{Candidate, keep_likeliest};
use super::row::Row;

/// Tokens that top-p is guessed to keep at most; the first is nearly always enough.
const GUESSES: [usize; 2] = [32, 256];

/// Candidates whose memory a sequence keeps from draw to draw.
const CANDIDATES_KEPT: usize = 8_192;

/// Chooses among the logits of one row.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// One over the temperature, 0 where the likeliest token is taken.
    sharpness: f32,
    top_k: usize,
    top_p: f64,
    min_p: f32,
    sums: Vec<f64>,
    candidates: Vec<Candidate>,
    weights: Vec<f32>,
}

impl Cut {
    pub(super) fn new(sampling: &Sampling) -> Self {
        let greedy = sampling.temperature <= 0.0 || sampling.top_k == 1;
        Self {
            sharpness: if greedy { 0.0 } else { sampling.temperature.recip().min(f32::MAX) },
            top_k: sampling.top_k as usize,
            top_p: f64::from(sampling.top_p),
            min_p: sampling.min_p,
            sums: Vec::new(),
            candidates: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// The token that `unit`, from 0 (included) to 1 (left out), stands for. `row` has read
    /// `logits`, and `top` is their largest.
    pub(super) fn choose(&mut self, row: &mut Row, top: f32, logits: &[f32], unit: f64) -> u32 {
        if self.sharpness == 0.0 {
            return row.first_of(top, logits);
        }
        let scale = Scale { top, sharpness: self.sharpness };
        let token = match self.keep(row, scale, logits) {
            None => self.choose_uncut(row, scale, logits, unit),
            Some(kept) => {
                let weights = self.weights[..kept].iter().map(|weight| f64::from(*weight));
                let total: f64 = weights.clone().sum();
                self.candidates[walk(weights, unit * total).0].token()
            }
        };
        if self.candidates.capacity() > CANDIDATES_KEPT {
            self.candidates = Vec::new();
            self.weights = Vec::new();
        }
        token
    }

    /// Cuts, and says how many of `candidates` may be drawn, likeliest first; `None` where the
    /// settings cut nothing.
    fn keep(&mut self, row: &mut Row, scale: Scale, logits: &[f32]) -> Option<usize> {
        let top_k = if self.top_k < logits.len() { self.top_k } else { 0 };
        if top_k > 0 {
            self.keep_top_k(row, scale, logits, top_k);
        } else if self.top_p < 1.0 || self.min_p > 0.0 {
            self.keep_top_p(row, scale, logits);
        } else {
            return None;
        }
        // The first weighs 1, so it always stays.
        Some(self.weights.partition_point(|weight| *weight >= self.min_p))
    }

    /// Nothing is cut, so nothing need be sorted: the tokens stand in their own order.
    fn choose_uncut(&mut self, row: &Row, scale: Scale, logits: &[f32], unit: f64) -> u32 {
        block_weights(row.isa(), logits, scale, &mut self.sums);
        let total: f64 = self.sums.iter().sum();
        let (block, left) = walk(self.sums.iter().copied(), unit * total);
        let start = block * BLOCK;
        let block = &logits[start..logits.len().min(start + BLOCK)];
        let weights = block.iter().map(|logit| f64::from(weight(*logit, scale)));
        (start + walk(weights, left).0) as u32
    }

    fn keep_top_k(&mut self, row: &mut Row, scale: Scale, logits: &[f32], top_k: usize) {
        let least = row.reached_by(top_k);
        self.collect(row, scale, logits, least, top_k);
        if self.top_p < 1.0 {
            let total: f64 = self.weights.iter().map(|weight| f64::from(*weight)).sum();
            self.keep_weight(total * self.top_p);
        }
    }

    /// Top-p, and what min-p surely cuts, over the whole vocabulary.
    fn keep_top_p(&mut self, row: &mut Row, scale: Scale, logits: &[f32]) {
        let least_by_min_p = least_logit(f64::from(self.min_p), scale);
        if self.top_p >= 1.0 {
            self.collect(row, scale, logits, least_by_min_p, usize::MAX);
            return;
        }
        block_weights(row.isa(), logits, scale, &mut self.sums);
        let total: f64 = self.sums.iter().sum();
        let enough = total * self.top_p;
        for guess in GUESSES {
            let least = row.reached_by(guess).max(least_by_min_p);
            self.collect(row, scale, logits, least, usize::MAX);
            if self.keep_weight(enough) || least <= least_by_min_p {
                return;
            }
        }
        // Tokens lighter than this would all together not weigh the share that is to go, so
        // none of them is needed. Half, so that no rounding can matter.
        let needless = 0.5 * (1.0 - self.top_p) * total / logits.len() as f64;
        let least = least_logit(needless, scale).max(least_by_min_p);
        self.collect(row, scale, logits, least, usize::MAX);
        self.keep_weight(enough);
    }

    /// The `count` likeliest of the tokens whose logits are at least `least`, and their weights.
    fn collect(&mut self, row: &Row, scale: Scale, logits: &[f32], least: f32, count: usize) {
        row.at_least(least, logits, &mut self.candidates);
        keep_likeliest(&mut self.candidates, count);
        self.weights.clear();
        let weights = self.candidates.iter().map(|candidate| weight(candidate.logit(), scale));
        self.weights.extend(weights);
    }

    /// Keeps the fewest that weigh `enough`; false when all together do not.
    fn keep_weight(&mut self, enough: f64) -> bool {
        let mut sum = 0.0;
        let reached = self.weights.iter().position(|weight| {
            sum += f64::from(*weight);
            sum >= enough
        });
        if let Some(last) = reached {
            self.weights.truncate(last + 1);
        }
        reached.is_some()
    }
}

/// A logit below which every token weighs less than `weight`: a hair lower than exact, because
/// rounding must not lose one.
fn least_logit(weight: f64, scale: Scale) -> f32 {
    let top = f64::from(scale.top);
    let below = weight.ln() / f64::from(scale.sharpness);
    let hair = 1e-5 * (top.abs() + below.abs() + 1.0 / f64::from(scale.sharpness));
    // Rounds towards nothing worse than one unit in the last place; NaN cannot come here, and
    // -infinity (a weight of 0) becomes the lowest number that there is.
    ((top + below - hair) as f32).clamp(f32::MIN, scale.top)
}

/// The place whose weight `left` falls on, and what is left of it there. Where rounding leaves a
/// hair beyond the end, the last place that weighs anything, and all there is.
fn walk(weights: impl Iterator<Item = f64>, mut left: f64) -> (usize, f64) {
    let mut last = 0;
    for (place, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        if left < weight {
            return (place, left);
        }
        left -= weight;
        last = place;
    }
    (last, f64::INFINITY)
}

#[cfg(test)]
mod tests;
