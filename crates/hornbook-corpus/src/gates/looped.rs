//! `looped`: ended by the engine because the same words came again and again.

use hornbook_types::{Looped, OutputKind};

use super::truncated::up_to_a_sentence;

/// How often a run must end the text, one after another, for all but the first to be cut; the
/// engine ends an answer after as many.
const COPIES_MIN: usize = 3;

/// The end of the text in which a run is looked for: more than an engine lets be repeated.
const WINDOW_BYTES: usize = 256 * 1024;

/// What to keep of an answer that went in circles; `None` refuses it.
///
/// Only running text can be cut at a sentence: half a list or half a JSON value is no answer.
pub(super) fn keep(text: &str, looped: Looped, output: OutputKind) -> Option<&str> {
    if looped == Looped::Reject || output != OutputKind::Text {
        return None;
    }
    up_to_a_sentence(before_repetition(text)?, text)
}

/// The text up to the end of the first copy of the run that ends it; `None` where no run of whole
/// characters does.
fn before_repetition(text: &str) -> Option<&str> {
    let start = text.ceil_char_boundary(text.len().saturating_sub(WINDOW_BYTES));
    // Knuth, Morris and Pratt's borders, of the text read backwards: an end of the text as long as
    // `length` repeats itself with a period of `length` less its border, and with none shorter.
    let backwards: Vec<u8> = text.as_bytes()[start..].iter().rev().copied().collect();
    let mut borders = vec![0_usize; backwards.len()];
    let mut repeated = None;
    for at in 1..backwards.len() {
        let mut border = borders[at - 1];
        while border > 0 && backwards[border] != backwards[at] {
            border = borders[border - 1];
        }
        border += usize::from(backwards[border] == backwards[at]);
        borders[at] = border;
        let (length, period) = (at + 1, at + 1 - border);
        if length >= COPIES_MIN * period {
            repeated = Some(length - period);
        }
    }
    let end = text.floor_char_boundary(text.len() - repeated?);
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_after_the_first_copy() {
        for (text, expected) in [
            // The run begins as early as it can, here with the stop before it.
            ("Once. Again. Again. Again. Aga", Some("Once. Again")),
            ("One, two, two, two, two", Some("One, two")),
            ("Twice. Twice.", None),
            ("", None),
            ("a", None),
            ("aaa", Some("a")),
            ("x éé è éé è éé è é", Some("x éé è")),
            // U+00E9 and U+0169 share their second byte: no character is cut in two.
            ("ũéééé", Some("ũ")),
        ] {
            assert_eq!(before_repetition(text), expected, "{text:?}");
        }
    }

    #[test]
    fn looks_at_the_end_of_long_texts_only() {
        let text = "ab".repeat(WINDOW_BYTES);
        let found = before_repetition(&text).expect("a run");
        assert_eq!(found.len(), text.len() - WINDOW_BYTES + 2);
    }
}
