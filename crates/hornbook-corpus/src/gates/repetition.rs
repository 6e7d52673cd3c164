//! `repetition`: a model that runs in circles.

use xxhash_rust::xxh3::xxh3_64;

use super::prose::{Line, lines};
use super::share_of;
use crate::words::{Words, words};

/// Largest share of lines that repeat an earlier line: Gopher's bound (Rae et al. 2021, table A1).
pub(super) const DEFAULT_LINE_SHARE: f32 = 0.3;
/// Largest share of word 4-grams that repeat an earlier one.
///
/// Gopher counts characters in the one most frequent 4-gram (at most 0.16), which a
/// nursery rhyme of fifty words fails. Counting every repeat, prose has 0.01 to 0.05, a
/// text for toddlers up to 0.3, and a loop goes to 1.
pub(super) const DEFAULT_NGRAM_SHARE: f32 = 0.4;
/// Where listings are to blame, the share that is too much even for them: a transcript of a shell comes to
/// half, a loop goes to 1.
const CODE_SHARE: f64 = 0.6;
/// In fewer lines, one refrain would be a third of the text.
const LINES_MIN: usize = 5;
/// Words in an n-gram.
const NGRAM: usize = 4;
/// In fewer n-grams, shares mean nothing.
const NGRAMS_MIN: usize = 20;

/// Share of lines with a letter or digit that repeat an earlier line, white space at their ends aside.
///
/// Lines of code and tables are left out: they end blocks and start columns alike.
pub(super) fn duplicate_lines(text: &str) -> f64 {
    let lines = lines(text).filter_map(words_of);
    let lines = lines.filter(|line| line.chars().any(char::is_alphanumeric));
    let hashes: Vec<u64> = lines.map(|line| xxh3_64(line.as_bytes())).collect();
    if hashes.len() < LINES_MIN { 0.0 } else { repeated_share(hashes) }
}

/// Share of word n-grams that repeat an earlier one.
pub(super) fn duplicate_ngrams(words: &Words) -> f64 {
    let hashes: Vec<u64> = words.ngrams(words.span(NGRAM)).collect();
    if hashes.len() < NGRAMS_MIN { 0.0 } else { repeated_share(hashes) }
}

/// True when that share of repeated n-grams is too much of a text; code may have more of them.
pub(super) fn is_loop(text: &str, share: f64, bound: f64) -> bool {
    if share <= bound || !text.contains("```") {
        return share > bound;
    }
    let prose: Vec<&str> = lines(text).filter_map(words_of).collect();
    share > bound.max(CODE_SHARE) || duplicate_ngrams(&words(&prose.join("\n"))) > bound
}

fn words_of(line: Line<'_>) -> Option<&str> {
    match line {
        Line::Heading(words) | Line::Item(words) | Line::Prose(words) => Some(words),
        Line::Blank | Line::Other => None,
    }
}

fn repeated_share(mut hashes: Vec<u64>) -> f64 {
    let all = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    share_of(all - hashes.len(), all)
}
