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
    let mut hashes = Vec::with_capacity((text.len() / 5).min(WORDS_MAX));
    let mut spaceless = 0_usize;
    let mut word = Word::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && hashes.len() < WORDS_MAX {
        // Nearly every byte of most texts is ASCII and needs no decoding.
        if bytes[at].is_ascii() {
            match bytes[at].is_ascii_alphanumeric() {
                true => word.push_ascii(bytes[at], &mut hashes),
                false => word.end(&mut hashes),
            }
            at += 1;
            continue;
        }
        let Some(character) = text[at..].chars().next() else { break };
        at += character.len_utf8();
        if !character.is_alphanumeric() {
            word.end(&mut hashes);
        } else if has_no_spaces(character) {
            word.end(&mut hashes);
            spaceless += 1;
            word.push(character, &mut hashes);
            word.end(&mut hashes);
        } else {
            word.push(character, &mut hashes);
        }
    }
    word.end(&mut hashes);
    hashes.truncate(WORDS_MAX);
    let spaceless = 2 * spaceless > hashes.len();
    Words { hashes, spaceless }
}

/// The word that is being read, in small letters.
#[derive(Default)]
struct Word {
    letters: Vec<u8>,
    characters: usize,
}

impl Word {
    fn push_ascii(&mut self, letter: u8, hashes: &mut Vec<u64>) {
        self.cut(hashes);
        self.letters.push(letter.to_ascii_lowercase());
        self.characters += 1;
    }

    fn push(&mut self, character: char, hashes: &mut Vec<u64>) {
        self.cut(hashes);
        for letter in character.to_lowercase() {
            self.letters.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.characters += 1;
    }

    fn cut(&mut self, hashes: &mut Vec<u64>) {
        if self.characters >= WORD_CHARS_MAX {
            self.end(hashes);
        }
    }

    fn end(&mut self, hashes: &mut Vec<u64>) {
        if !self.letters.is_empty() {
            hashes.push(xxh3_64(&self.letters));
            self.letters.clear();
            self.characters = 0;
        }
    }
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
