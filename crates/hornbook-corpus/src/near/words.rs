//! A text as the hashes of its words.
//!
//! The text is put into NFKC and lower case. A word is a run of letters, digits and combining marks; in
//! scripts that put no spaces between words every character is a word, and a word of more than
//! [`WORD_CHARS_MAX`] characters is cut. So texts with equal [`text_hash`](crate::text_hash) have equal words.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::hashing::{PRIME, finish};
use super::limits::{WORD_CHARS_MAX, WORDS_MAX};
use crate::words::has_no_spaces;

/// Hash of the empty word.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;
/// Class of a byte that separates words.
const SEPARATOR: u8 = 0;
/// Class of a byte that is part of a longer character.
const NOT_ASCII: u8 = 1;

/// A byte's lower case if it is an ASCII letter or digit, else its class.
const CLASSES: [u8; 256] = {
    let mut classes = [SEPARATOR; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
        let value = byte as u8;
        if value.is_ascii_alphanumeric() {
            classes[byte] = value.to_ascii_lowercase();
        } else if !value.is_ascii() {
            classes[byte] = NOT_ASCII;
        }
        byte += 1;
    }
    classes
};

/// Writes one hash per word into `words`, in order; what was in there is gone.
pub(super) fn word_hashes(text: &str, words: &mut Vec<u64>) {
    words.clear();
    let mut splitter = Splitter { words, hash: EMPTY, chars: 0 };
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && splitter.has_room() {
        at += splitter.ascii(&bytes[at..]);
        if at == bytes.len() || !splitter.has_room() {
            break;
        }
        // A mark may join the letter before it, and nothing joins what stands before an ASCII character: so a run of
        // other characters, with the one before it, is normalised by itself.
        let run = text[at..].char_indices().skip(1).find(|(_, it)| it.is_ascii());
        let end = run.map_or(bytes.len(), |(offset, _)| at + offset);
        splitter.others(&text[at..end]);
        at = end;
    }
    splitter.end();
}

struct Splitter<'a> {
    words: &'a mut Vec<u64>,
    hash: u64,
    chars: u32,
}

impl Splitter<'_> {
    fn has_room(&self) -> bool {
        self.words.len() < WORDS_MAX
    }

    /// Takes ASCII until the last letter or digit before another character, or that character; says how many bytes.
    fn ascii(&mut self, bytes: &[u8]) -> usize {
        let (mut hash, mut chars) = (self.hash, self.chars);
        let mut end = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(bytes.len());
        if end < bytes.len() && end > 0 && bytes[end - 1].is_ascii_alphanumeric() {
            end -= 1;
        }
        let mut taken = 0;
        for &byte in &bytes[..end] {
            let class = CLASSES[usize::from(byte)];
            let is_letter = class > NOT_ASCII;
            if (!is_letter && chars > 0) || chars == WORD_CHARS_MAX {
                if !self.has_room() {
                    break;
                }
                self.words.push(finish(hash));
                (hash, chars) = (EMPTY, 0);
            }
            if is_letter {
                hash = (hash ^ u64::from(class)).wrapping_mul(PRIME);
                chars += 1;
            }
            taken += 1;
        }
        (self.hash, self.chars) = (hash, chars);
        taken
    }

    /// Takes characters outside ASCII, and perhaps one ASCII letter before them.
    fn others(&mut self, run: &str) {
        let (letter, rest) = run.split_at(usize::from(run.as_bytes()[0].is_ascii()));
        if rest.chars().all(is_general_punctuation) {
            letter.chars().for_each(|letter| self.character(letter));
            self.end();
        } else if is_nfkc_quick(run.chars()) == IsNormalized::Yes {
            self.characters(run.chars());
        } else {
            // Marks without end on one letter would be gathered without end.
            self.characters(run.chars().stream_safe().nfkc());
        }
    }

    fn characters(&mut self, characters: impl Iterator<Item = char>) {
        for character in characters {
            if !self.has_room() {
                return;
            }
            self.character(character);
        }
    }

    fn character(&mut self, character: char) {
        if !character.is_alphanumeric() && !is_combining_mark(character) {
            return self.end();
        }
        let is_alone = has_no_spaces(character);
        if is_alone {
            self.end();
        }
        for lower in character.to_lowercase() {
            if self.chars == WORD_CHARS_MAX {
                self.end();
            }
            for &byte in lower.encode_utf8(&mut [0; 4]).as_bytes() {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
            }
            self.chars += 1;
        }
        if is_alone {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.chars > 0 && self.has_room() {
            self.words.push(finish(self.hash));
        }
        (self.hash, self.chars) = (EMPTY, 0);
    }
}

/// Quotation marks, dashes and the like: no form of them holds a letter, a digit or a mark.
fn is_general_punctuation(character: char) -> bool {
    matches!(character, '\u{2000}'..='\u{2016}' | '\u{2018}'..='\u{203d}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes(text: &str) -> Vec<u64> {
        let mut words = vec![7];
        word_hashes(text, &mut words);
        words
    }

    /// The definition, without any short cut.
    fn plainly(text: &str) -> Vec<u64> {
        let mut words = Vec::new();
        let mut splitter = Splitter { words: &mut words, hash: EMPTY, chars: 0 };
        splitter.characters(text.nfkc());
        splitter.end();
        words
    }

    #[test]
    fn case_punctuation_and_forms_do_not_matter() {
        for (one, other) in [
            ("The ball -- is RED!", "the ball is red"),
            ("“The” ball… is—red", "the ball is red"),
            ("cafe\u{301} ﬁne １２", "CAFÉ fine 12"),
            ("It’s", "it s"),
        ] {
            assert_eq!(hashes(one), hashes(other), "{one}");
        }
        assert_eq!(hashes("the ball is red").len(), 4);
        assert_ne!(hashes("cafe"), hashes("café"));
        assert_ne!(hashes("red ball"), hashes("redball"));
        assert!(hashes(" \u{0} … \u{1f642}").is_empty());
    }

    #[test]
    fn scripts_without_spaces_and_endless_words_have_words_too() {
        assert_eq!(hashes("水是生命之源。").len(), 6);
        assert_eq!(hashes(&"a".repeat(320)).len(), 10);
        assert_eq!(hashes(&"é".repeat(33)).len(), 2);
        assert_eq!(
            hashes(&format!("e{}", "\u{301}".repeat(10_000))).len(),
            10_001_usize.div_ceil(32) + 10
        );
    }

    #[test]
    fn a_hostile_length_is_bounded() {
        for unit in ["a ", "é ", "水", "a\u{301} "] {
            assert_eq!(hashes(&unit.repeat(WORDS_MAX + 100)).len(), WORDS_MAX, "{unit}");
        }
        let long = "ab".repeat(WORDS_MAX * 17);
        assert_eq!(hashes(&long).len(), WORDS_MAX);
        assert_eq!(hashes(&format!("{long}é")).len(), WORDS_MAX);
    }

    #[test]
    fn no_general_punctuation_is_a_letter_in_any_form() {
        for character in ('\0'..=char::MAX).filter(|it| is_general_punctuation(*it)) {
            let form: Vec<char> = std::iter::once(character).nfkc().collect();
            assert!(
                !form.iter().any(|it| it.is_alphanumeric() || is_combining_mark(*it)),
                "{form:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Short cuts for ASCII, punctuation and normal forms change nothing.
        #[test]
        fn every_way_gives_the_same_words(text in "([a-cA-C0-1 ,.]|[éÉe\u{301}\u{323}ﬁ水のΣİ１’—\u{1100}\u{1161}\u{11a8}\u{0}🙂]){0,60}") {
            prop_assert_eq!(hashes(&text), plainly(&text));
        }
    }
}
