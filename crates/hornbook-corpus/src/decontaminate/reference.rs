//! The reference mode: the decontamination that was published with Cosmopedia, for comparison.
//!
//! A text becomes words: canonical decomposition, non-spacing marks removed, lower case, runs of what
//! Python's `\w` matches. A document that holds a 10-gram of any item is compared with one item only, the last loaded
//! that holds that 10-gram; characters in matching blocks of more than five, as a share of the
//! item's, must exceed one half. Where the original takes whichever common 10-gram Python's set yields
//! first, which differs from run to run, this takes the first in the document.

use std::collections::HashMap;

use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use xxhash_rust::xxh3::Xxh3;

use super::benchmarks::Benchmarks;
use super::difflib::matching_blocks;
use super::hit::{Hit, Names, excerpt};
use super::limits::{REFERENCE_NGRAM_WORDS, REFERENCE_PAIRS_MAX};
use super::spacing_marks::is_spacing_mark;

/// Shorter matching blocks do not count.
const BLOCK_CHARS_MIN: usize = 6;
/// The share of an item that must be exceeded.
const RATIO: f64 = 0.5;

/// Everything that is looked for.
#[derive(Debug)]
pub(super) struct Reference {
    /// The last item that holds a 10-gram, by the 10-gram's hash.
    ngrams: HashMap<u128, u32>,
    /// Each item's words with one space between them.
    texts: Vec<String>,
}

impl Reference {
    /// Takes every item's 10-grams; items without any are named by `unchecked` with their words.
    pub(super) fn new(benchmarks: &Benchmarks, mut unchecked: impl FnMut(u32, usize)) -> Self {
        let (mut ngrams, mut texts) = (HashMap::new(), Vec::new());
        for (number, item) in benchmarks.items().iter().enumerate() {
            let lowered = without_accents(&item.text).to_lowercase();
            let words = tokens(&lowered);
            if words.len() < REFERENCE_NGRAM_WORDS {
                unchecked(number as u32, words.len());
                texts.push(String::new());
                continue;
            }
            for ngram in words.windows(REFERENCE_NGRAM_WORDS) {
                ngrams.insert(hash(&lowered, ngram), number as u32);
            }
            texts.push(joined(&lowered, &words));
        }
        Self { ngrams, texts }
    }

    /// The item that the document leaks, if any.
    pub(super) fn check(&self, text: &str, names: &Names) -> Vec<Hit> {
        let lowered = without_accents(text).to_lowercase();
        let words = tokens(&lowered);
        let first = words.windows(REFERENCE_NGRAM_WORDS).enumerate().find_map(|(at, ngram)| {
            self.ngrams.get(&hash(&lowered, ngram)).map(|&item| (at, item))
        });
        let Some((at, item)) = first else { return Vec::new() };
        let ratio = ratio(&joined(&lowered, &words), &self.texts[item as usize]);
        if ratio <= RATIO {
            return Vec::new();
        }
        let span = span_of(text, at);
        vec![Hit {
            benchmark: names.benchmark(item).clone(),
            item_id: names.item_id(item).clone(),
            item,
            matched: excerpt(&text[span.clone()]),
            document_span: span,
            item_words: None,
            item_words_total: self.texts[item as usize].split(' ').count() as u32,
            ratio: Some(ratio),
        }]
    }

    /// Bytes that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.ngrams.capacity() * (size_of::<(u128, u32)>() + 1)
            + self.texts.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>()
    }
}

/// Share of the item's characters that lie in matching blocks longer than five.
pub(super) fn ratio(document: &str, item: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (document.chars().collect(), item.chars().collect());
    let blocks = matching_blocks(&a, &b, REFERENCE_PAIRS_MAX);
    let matched: String = blocks
        .iter()
        .filter(|block| block.len >= BLOCK_CHARS_MIN)
        .flat_map(|block| &a[block.a..block.a + block.len])
        .collect();
    let words: Vec<&str> = matched.split_whitespace().collect();
    let chars: usize = words.iter().map(|word| word.chars().count()).sum();
    let spaces = words.len().saturating_sub(1);
    if b.is_empty() { 0.0 } else { (chars + spaces) as f64 / b.len() as f64 }
}

/// The words of a text with one space between them.
#[cfg(test)]
pub(super) fn words_of(text: &str) -> String {
    let lowered = without_accents(text).to_lowercase();
    joined(&lowered, &tokens(&lowered))
}

fn without_accents(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            kept.push(character);
            continue;
        }
        decompose_canonical(character, |part| {
            if !is_combining_mark(part) || is_spacing_mark(part) {
                kept.push(part);
            }
        });
    }
    kept
}

/// First and last byte, exclusive, of every word.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    for (at, character) in text.char_indices() {
        if !is_word(character) {
            continue;
        }
        let end = at + character.len_utf8();
        match words.last_mut() {
            Some(last) if last.1 == at => last.1 = end,
            _ => words.push((at, end)),
        }
    }
    words
}

fn joined(text: &str, words: &[(usize, usize)]) -> String {
    let mut joined = String::with_capacity(text.len());
    for &(start, end) in words {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(&text[start..end]);
    }
    joined
}

fn hash(text: &str, words: &[(usize, usize)]) -> u128 {
    let mut hasher = Xxh3::new();
    for &(start, end) in words {
        hasher.update(&text.as_bytes()[start..end]);
        hasher.update(b" ");
    }
    hasher.digest128()
}

/// What Python's `\w` matches: letters, numbers of every kind and the underscore, but no marks and no
/// circled letters.
pub(super) fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || character == '_';
    }
    character.is_alphanumeric()
        && !is_combining_mark(character)
        && !matches!(character,
            '\u{24b6}'..='\u{24e9}'
            | '\u{1f130}'..='\u{1f149}'
            | '\u{1f150}'..='\u{1f169}'
            | '\u{1f170}'..='\u{1f189}')
}

/// Where the `number`th 10-gram stands in the text as it came.
///
/// Words are counted in the text itself, as they are cut after decomposition.
fn span_of(text: &str, number: usize) -> std::ops::Range<usize> {
    let (mut words, mut in_word, mut start, mut end) = (0, false, 0, 0);
    for (at, character) in text.char_indices() {
        decompose_canonical(character, |part| {
            if is_combining_mark(part) && !is_spacing_mark(part) {
                return;
            }
            let word = is_word(part);
            if word && !in_word {
                if words == number {
                    start = at;
                }
                words += 1;
            }
            in_word = word;
            if word && words <= number + REFERENCE_NGRAM_WORDS {
                end = at + character.len_utf8();
            }
        });
    }
    start..end.max(start)
}
