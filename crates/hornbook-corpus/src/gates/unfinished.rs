//! `unfinished`: prose that stops in the middle of a sentence though nothing cut it.

use super::prose::{Line, lines};
use crate::sentence::complete_sentences;

/// A last line of fewer words is a signature, a "The End" or a verse.
const WORDS_MIN: usize = 6;
/// First words of a caption, which names what it stands under and is no sentence.
const CAPTIONS: [&str; 7] = ["figure", "fig", "listing", "table", "example", "source", "step"];

/// True when the last line is prose, ends with a letter, a digit or a mark that joins, and other
/// sentences of the text end with stops.
///
/// Lists, tables, code, formulas, captions and addresses end as they like, and so does a text that uses no
/// stops at all.
pub(super) fn is_unfinished(text: &str) -> bool {
    let text = text.trim_end();
    let Some(last) = text.chars().next_back() else { return false };
    // Most texts end with a stop, and nothing more need be read.
    if !(last.is_alphanumeric() || matches!(last, ',' | ';' | '-' | '–' | '—' | '(' | '&')) {
        return false;
    }
    let Some(Line::Prose(words)) = lines(text).last() else { return false };
    if words.split_whitespace().take(WORDS_MIN).count() < WORDS_MIN {
        return false;
    }
    let first: String = words.chars().take_while(|c| c.is_alphabetic()).collect();
    if CAPTIONS.contains(&first.to_lowercase().as_str()) {
        return false;
    }
    let is_address = words.rsplit(' ').next().is_some_and(|word| word.contains("://"));
    !is_address && !complete_sentences(text).is_empty()
}
