//! `prompt_echo`: repeats the prompt instead of answering it.

use super::overlap::{self, Ngrams};
use crate::words::Words;

/// Largest share of the answer's 8-grams that may stand in the prompt.
///
/// No published pipeline has such a bound. Templates quote a topic or a few terms, and
/// rewriting an extract keeps a tenth of its 8-grams or so; an answer with three in ten
/// is reciting.
pub(super) const DEFAULT_SHARE: f32 = 0.3;
/// Words that must agree in a row.
pub(super) const NGRAM: usize = 8;
/// In an answer shorter than one n-gram, all words must agree, if there are at least so many.
const NGRAM_MIN: usize = 4;

/// Share of the answer's n-grams that stand in the prompt.
pub(super) fn share(answer: &Words, prompt: &Words) -> f64 {
    let n = answer.span(NGRAM).min(answer.hashes.len());
    if n < NGRAM_MIN {
        return 0.0;
    }
    let mut known = Ngrams::default();
    known.add(prompt, n);
    overlap::share(answer, n, known)
}
