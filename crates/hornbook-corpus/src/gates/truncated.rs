//! `truncated`: cut off by `max_tokens`.

use hornbook_types::{OutputKind, Truncated};

use crate::sentence::complete_sentences;

/// Least share of a cut-off text that trimming must leave, in percent of its bytes.
pub(super) const KEEP_PERCENT: usize = 60;

/// What to keep of a cut-off answer; `None` refuses it.
///
/// Only running text can be cut at a sentence: half a list or half a JSON value is no answer.
pub(super) fn keep(text: &str, truncated: Truncated, output: OutputKind) -> Option<&str> {
    if truncated == Truncated::Reject || output != OutputKind::Text {
        return None;
    }
    up_to_a_sentence(text, text)
}

/// The complete sentences of `part`, if they are enough of `text`.
pub(super) fn up_to_a_sentence<'a>(part: &'a str, text: &str) -> Option<&'a str> {
    let kept = complete_sentences(part);
    let enough = kept.len() * 100 >= text.trim_end().len() * KEEP_PERCENT;
    (enough && !kept.is_empty()).then_some(kept)
}
