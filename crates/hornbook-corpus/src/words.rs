//! Text as a sequence of words, for gates that compare words.

use xxhash_rust::xxh3::xxh3_64;

/// Words that gates look at; a longer text is judged by its first million words.
pub(crate) const WORDS_MAX: usize = 1 << 20;
/// A longer word is cut, so that text without any space still has parts that can repeat.
const WORD_CHARS_MAX: usize = 32;

/// Hashes of a text's words, in order.
pub(crate) struct Words {
    /// One hash per word, letter case ignored.
    pub(crate) hashes: Vec<u64>,
    /// True when most words are single characters of a script that puts no spaces between words.
    pub(crate) spaceless: bool,
}

/// Splits at everything that is neither letter nor digit; in scripts without spaces, every
/// character is a word.
pub(crate) fn words(text: &str) -> Words {
    let mut hashes = Vec::new();
    let mut spaceless = 0_usize;
    let mut word = String::new();
    let mut word_chars = 0_usize;
    for character in text.chars() {
        if hashes.len() >= WORDS_MAX {
            break;
        }
        let alone = has_no_spaces(character);
        if alone || word_chars >= WORD_CHARS_MAX || !character.is_alphanumeric() {
            if !word.is_empty() {
                hashes.push(xxh3_64(word.as_bytes()));
                word.clear();
                word_chars = 0;
            }
            if !character.is_alphanumeric() {
                continue;
            }
        }
        if character.is_ascii() {
            word.push(character.to_ascii_lowercase());
        } else {
            word.extend(character.to_lowercase());
        }
        word_chars += 1;
        if alone {
            spaceless += 1;
            hashes.push(xxh3_64(word.as_bytes()));
            word.clear();
            word_chars = 0;
        }
    }
    if !word.is_empty() && hashes.len() < WORDS_MAX {
        hashes.push(xxh3_64(word.as_bytes()));
    }
    let spaceless = 2 * spaceless > hashes.len();
    Words { hashes, spaceless }
}

/// Scripts whose words are not set apart: Thai, Lao, Burmese, Khmer, kana and Han.
pub(crate) fn has_no_spaces(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

impl Words {
    /// Length of an n-gram that says as much as `n` words of a language with spaces.
    pub(crate) fn span(&self, n: usize) -> usize {
        if self.spaceless { 2 * n } else { n }
    }

    /// One hash for every run of `n` words.
    pub(crate) fn ngrams(&self, n: usize) -> impl Iterator<Item = u64> + '_ {
        self.hashes.windows(n.max(1)).map(|window| {
            window.iter().fold(0, |hash: u64, &word| {
                (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_do_not_matter() {
        assert_eq!(words("The ball -- is RED!").hashes, words("the ball is red").hashes);
        assert_eq!(words("").hashes.len(), 0);
    }

    #[test]
    fn scripts_without_spaces_have_words_too() {
        assert_eq!(words("水是生命之源。").hashes.len(), 6);
        assert!(words("水是生命之源。").spaceless);
        assert!(!words("Water is 水 in Chinese").spaceless);
        assert_eq!(words(&"a".repeat(320)).hashes.len(), 10);
    }

    #[test]
    fn a_hostile_length_is_bounded() {
        assert_eq!(words(&"a ".repeat(WORDS_MAX + 100)).hashes.len(), WORDS_MAX);
    }
}
