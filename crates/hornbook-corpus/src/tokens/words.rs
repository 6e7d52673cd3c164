//! Tokens of words that came before: texts repeat theirs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use super::limits::{WORD_KEPT_BYTES, WORD_TOKENS_KEPT, WORDS_KEPT};

/// Bytes of a word that fit a key without memory of its own.
const SHORT_BYTES: usize = 15;

/// XXH3 of whatever is hashed in one piece.
#[derive(Default)]
struct Xxh(u64);

impl Hasher for Xxh {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ xxh3_64(bytes);
    }

    fn write_u8(&mut self, _: u8) {
        // What ends a text in a key tells nothing: every key is one text.
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = xxh3_64(&key.to_le_bytes());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Map<K> = HashMap<K, Span, BuildHasherDefault<Xxh>>;

/// Where a word's tokens lie; of one alone, the token itself.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    tokens: u32,
}

/// A bounded memory of words and their tokens.
#[derive(Default)]
pub(super) struct Words {
    short: Map<u128>,
    long: Map<Box<str>>,
    tokens: Vec<u32>,
}

impl Words {
    /// Appends a word's tokens if it is remembered.
    pub(super) fn append(&self, word: &str, ids: &mut Vec<u32>) -> bool {
        let span = match key_of(word) {
            Some(key) => self.short.get(&key),
            None => self.long.get(word),
        };
        let Some(&Span { start, tokens }) = span else { return false };
        if tokens == 1 {
            ids.push(start);
        } else {
            let start = start as usize;
            ids.extend_from_slice(&self.tokens[start..start + tokens as usize]);
        }
        true
    }

    /// Remembers a word; everything else is forgotten first when there is no more room.
    pub(super) fn remember(&mut self, word: &str, ids: &[u32]) {
        if word.len() > WORD_KEPT_BYTES {
            return;
        }
        let is_full = self.short.len() + self.long.len() >= WORDS_KEPT
            || self.tokens.len() + ids.len() > WORD_TOKENS_KEPT;
        if is_full {
            self.short.clear();
            self.long.clear();
            self.tokens.clear();
        }
        let span = match ids {
            [id] => Span { start: *id, tokens: 1 },
            _ => {
                let start = self.tokens.len() as u32;
                self.tokens.extend_from_slice(ids);
                Span { start, tokens: ids.len() as u32 }
            }
        };
        match key_of(word) {
            Some(key) => self.short.insert(key, span),
            None => self.long.insert(word.into(), span),
        };
    }
}

/// A short word with its length as one number.
fn key_of(word: &str) -> Option<u128> {
    let bytes = word.as_bytes();
    if bytes.len() > SHORT_BYTES {
        return None;
    }
    let mut key = [0; 16];
    key[..bytes.len()].copy_from_slice(bytes);
    key[SHORT_BYTES] = bytes.len() as u8;
    Some(u128::from_le_bytes(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_remembered_until_there_are_too_many() {
        let mut words = Words::default();
        let all = |words: &Words, word: &str| {
            let mut ids = vec![9];
            words.append(word, &mut ids).then_some(ids)
        };
        let long = "a word of more than fifteen bytes";
        words.remember("one", &[1]);
        words.remember("none", &[]);
        words.remember(long, &[2, 3]);
        words.remember(&"x".repeat(WORD_KEPT_BYTES + 1), &[4]);
        assert_eq!(all(&words, "one"), Some(vec![9, 1]));
        assert_eq!(all(&words, "none"), Some(vec![9]));
        assert_eq!(all(&words, long), Some(vec![9, 2, 3]));
        assert_eq!(all(&words, "one\0"), None);
        assert_eq!(all(&words, &"x".repeat(WORD_KEPT_BYTES + 1)), None);
        for number in 0..WORDS_KEPT {
            words.remember(&format!("{number}"), &[number as u32]);
        }
        assert!(words.short.len() + words.long.len() <= WORDS_KEPT);
        assert_eq!(all(&words, "one"), None);
    }
}
