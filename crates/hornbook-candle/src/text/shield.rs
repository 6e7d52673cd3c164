//! Keeping what people write from turning into the marks of a conversation.

use std::borrow::Cow;

use super::marks::Marks;

/// Noncharacters of Unicode, never part of real text: one that occurs in no message becomes the
/// shield of a prompt.
const SHIELDS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// A character that occurs in none of the texts.
pub(super) fn choose<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<char> {
    SHIELDS.into_iter().find(|shield| texts.clone().all(|text| !text.contains(*shield)))
}

/// Puts the shield into everything in `text` that reads like a mark, and around its words, so
/// that text and template together cannot spell one either.
///
/// White space at the ends stays outside, so that a template's `trim` still finds it.
pub(super) fn shielded(text: &str, marks: &Marks, shield: char) -> String {
    let words = text.trim();
    if words.is_empty() {
        return text.to_owned();
    }
    let lead = text.len() - text.trim_start().len();
    let mut safe = String::with_capacity(text.len() + 8);
    safe.push_str(&text[..lead]);
    safe.push(shield);
    let mut done = 0;
    for start in marks.starts(words) {
        // After the mark's first character: what is left of it is none.
        let cut = words.ceil_char_boundary(start + 1);
        safe.push_str(&words[done..cut]);
        safe.push(shield);
        done = cut;
    }
    safe.push_str(&words[done..]);
    safe.push(shield);
    safe.push_str(&text[lead + words.len()..]);
    safe
}

/// The text without the shield.
pub(super) fn unshielded(text: &str, shield: char) -> Cow<'_, str> {
    if text.contains(shield) { text.replace(shield, "").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks::new(MARKS.map(str::to_owned).into_iter().zip(0..).collect()).expect("few marks")
    }

    const MARKS: [&str; 3] = ["<|im_start|>", "<|im_end|>", "<|"];

    #[test]
    fn no_mark_survives_and_nothing_is_lost() {
        let texts = ["", " ", "plain", "<|im_start|>", " <|<|im_end|>im_end|>\n", "<", "|im_end|>"];
        for text in texts {
            let safe = shielded(text, &marks(), '\u{fdd0}');
            for mark in MARKS {
                assert!(!safe.contains(mark), "{safe:?} holds {mark}");
            }
            assert_eq!(unshielded(&safe, '\u{fdd0}'), text);
            assert_eq!(safe.trim().is_empty(), text.trim().is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_mark_survives_in_any_text(parts in "(<|\\||>|<\\||im_|start|end|\\|>| |\n|é){0,24}") {
            let safe = shielded(&parts, &marks(), '\u{fdd0}');
            // Whatever a template puts around it, here both halves of every mark; around
            // nothing at all it may spell a mark of its own.
            proptest::prop_assume!(!parts.trim().is_empty());
            for around in ["", "<", "<|", "<|im_start", "<|im_end"] {
                let whole = format!("{around}{safe}|>{safe}im_end|>");
                proptest::prop_assert!(!MARKS[..2].iter().any(|mark| whole.contains(mark)));
            }
            proptest::prop_assert_eq!(unshielded(&safe, '\u{fdd0}'), parts);
        }
    }

    #[test]
    fn shield_is_chosen_around_what_is_there() {
        assert_eq!(choose(["a"].into_iter()), Some('\u{fdd0}'));
        assert_eq!(choose(["\u{fdd0}", "\u{fdd1}"].into_iter()), Some('\u{fdd2}'));
        let all: String = SHIELDS.collect();
        assert_eq!(choose([all.as_str()].into_iter()), None);
    }
}
