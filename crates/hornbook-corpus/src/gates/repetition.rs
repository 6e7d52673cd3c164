//! `repetition`: a model that runs in circles.

use xxhash_rust::xxh3::xxh3_64;

use super::share_of;
use crate::words::Words;

/// Largest share of lines that repeat an earlier line: Gopher's bound (Rae et al. 2021, table A1).
pub(super) const DEFAULT_LINE_SHARE: f32 = 0.3;
/// Largest share of word 4-grams that repeat an earlier one.
///
/// Gopher counts characters in the one most frequent 4-gram (at most 0.16), which a
/// nursery rhyme of fifty words fails. Counting every repeat, prose has 0.01 to 0.05, a
/// text for toddlers up to 0.3, and a loop goes to 1.
pub(super) const DEFAULT_NGRAM_SHARE: f32 = 0.4;
/// In fewer lines, one refrain would be a third of the text.
const LINES_MIN: usize = 5;
/// Words in an n-gram.
const NGRAM: usize = 4;
/// In fewer n-grams, shares mean nothing.
const NGRAMS_MIN: usize = 20;

/// Share of lines with a letter or digit that repeat an earlier line, white space at their ends aside.
pub(super) fn duplicate_lines(text: &str) -> f64 {
    let lines = text.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
    let hashes: Vec<u64> = lines.map(|line| xxh3_64(line.as_bytes())).collect();
    if hashes.len() < LINES_MIN { 0.0 } else { repeated_share(hashes) }
}

/// Share of word n-grams that repeat an earlier one.
pub(super) fn duplicate_ngrams(words: &Words) -> f64 {
    let hashes: Vec<u64> = words.ngrams(words.span(NGRAM)).collect();
    if hashes.len() < NGRAMS_MIN { 0.0 } else { repeated_share(hashes) }
}

fn repeated_share(mut hashes: Vec<u64>) -> f64 {
    let all = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    share_of(all - hashes.len(), all)
}
