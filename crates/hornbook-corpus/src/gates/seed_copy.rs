//! `seed_copy`: recites the seed's text instead of writing with it.

use serde_json::{Map, Value};

use super::overlap::{Ngrams, share};
use crate::words::{Words, words};

/// Largest share of the answer's 8-grams that may stand in the seed's own text.
///
/// Below [`super::prompt_echo`]'s bound, because a quoted instruction is noise, but a copied extract is
/// a duplicate of somebody else's text.
pub(super) const DEFAULT_SHARE: f32 = 0.25;
/// A shorter field is a title or a topic, which a text about it must name.
const FIELD_BYTES_MIN: usize = 60;

/// Share of the answer's n-grams that stand in a text of the seed.
pub(super) fn seed_share(answer: &Words, seed: &Map<String, Value>) -> f64 {
    let n = answer.span(super::prompt_echo::NGRAM);
    let mut ngrams = Ngrams::default();
    for text in seed.values().filter_map(Value::as_str) {
        if text.len() >= FIELD_BYTES_MIN {
            ngrams.add(&words(text), n);
        }
    }
    share(answer, n, ngrams)
}
