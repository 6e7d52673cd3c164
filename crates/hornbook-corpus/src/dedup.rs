//! Exact duplicates: documents with the same normalised text.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use xxhash_rust::xxh3::Xxh3;

/// XXH3-128 of a text, normalised; as 32 hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextHash(pub u128);

/// Hashes a text so that texts which read alike hash alike.
///
/// The text is put into NFKC, letters become lower case, and every run of characters
/// that are neither letters, digits nor combining marks (white space, punctuation,
/// symbols) becomes one space, none at either end. A text with no letter or digit at all is hashed
/// as it is, so that two different rows of symbols stay different.
pub fn text_hash(text: &str) -> TextHash {
    let mut hasher = Normalised::default();
    if text.is_ascii() {
        for &byte in text.as_bytes() {
            if byte.is_ascii_alphanumeric() {
                hasher.push(&[byte.to_ascii_lowercase()]);
            } else {
                hasher.separate();
            }
        }
    } else {
        let mut utf8 = [0; 4];
        for character in text.nfkc() {
            if character.is_alphanumeric() || is_combining_mark(character) {
                for lower in character.to_lowercase() {
                    hasher.push(lower.encode_utf8(&mut utf8).as_bytes());
                }
            } else {
                hasher.separate();
            }
        }
    }
    hasher.finish(text)
}

/// Bytes gathered before they are hashed.
const BLOCK_BYTES: usize = 1024;

struct Normalised {
    hasher: Xxh3,
    block: [u8; BLOCK_BYTES],
    filled: usize,
    begun: bool,
    space_due: bool,
}

impl Default for Normalised {
    fn default() -> Self {
        Self {
            hasher: Xxh3::new(),
            block: [0; BLOCK_BYTES],
            filled: 0,
            begun: false,
            space_due: false,
        }
    }
}

impl Normalised {
    fn separate(&mut self) {
        self.space_due = self.begun;
    }

    fn push(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.space_due) {
            self.append(b" ");
        }
        self.begun = true;
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.filled + bytes.len() > BLOCK_BYTES {
            self.hasher.update(&self.block[..self.filled]);
            self.filled = 0;
        }
        self.block[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    fn finish(mut self, raw: &str) -> TextHash {
        if !self.begun {
            self.hasher.update(raw.as_bytes());
        }
        self.hasher.update(&self.block[..self.filled]);
        TextHash(self.hasher.digest128())
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Debug for TextHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TextHash({self})")
    }
}

impl Serialize for TextHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TextHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        u128::from_str_radix(&digits, 16).map(Self).map_err(serde::de::Error::custom)
    }
}
