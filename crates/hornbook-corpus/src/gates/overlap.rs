//! Which n-grams of one text stand in another.

use super::share_of;
use crate::words::Words;

/// The n-grams of texts.
#[derive(Default)]
pub(super) struct Ngrams {
    hashes: Vec<u64>,
}

/// Bits of the filter that most misses end at.
const FILTER_BITS: usize = 1 << 13;

impl Ngrams {
    /// Adds a text's n-grams.
    pub(super) fn add(&mut self, words: &Words, n: usize) {
        self.hashes.extend(words.ngrams(n));
    }
}

/// Share of the answer's n-grams that are among `known`.
pub(super) fn share(answer: &Words, n: usize, known: Ngrams) -> f64 {
    if known.hashes.is_empty() {
        return 0.0;
    }
    let mut hashes = known.hashes;
    hashes.sort_unstable();
    let mut filter = [0_u64; FILTER_BITS / 64];
    for &hash in &hashes {
        let bit = hash as usize % FILTER_BITS;
        filter[bit / 64] |= 1 << (bit % 64);
    }
    let (mut found, mut all) = (0, 0);
    for hash in answer.ngrams(n) {
        all += 1;
        let bit = hash as usize % FILTER_BITS;
        let may_be = filter[bit / 64] >> (bit % 64) & 1 == 1;
        found += usize::from(may_be && hashes.binary_search(&hash).is_ok());
    }
    share_of(found, all)
}
