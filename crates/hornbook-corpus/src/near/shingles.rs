//! A text as the set of its word 5-grams.

use super::hashing::finish;
use super::limits::SHINGLE_WORDS;
use super::words::word_hashes;

/// One odd factor per place, so that the order of words counts.
const FACTORS: [u64; SHINGLE_WORDS] = [
    0x9e37_79b9_7f4a_7c15,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
];

/// Cuts texts into shingles, with buffers that serve one text after the other.
#[derive(Debug, Default)]
pub(super) struct Shingler {
    words: Vec<u64>,
    shingles: Vec<u64>,
}

impl Shingler {
    /// One hash per run of five words; a shorter text is one shingle, a text without words has none.
    pub(super) fn shingles(&mut self, text: &str) -> &[u64] {
        word_hashes(text, &mut self.words);
        self.shingles.clear();
        if self.words.is_empty() {
            return &[];
        }
        let few = self.words.len().min(SHINGLE_WORDS);
        self.shingles.extend(self.words.windows(few).map(shingle));
        &self.shingles
    }

    /// The same as a set: in ascending order, each once.
    pub(super) fn set(&mut self, text: &str) -> Vec<u64> {
        self.shingles(text);
        if self.words.is_empty() {
            return Vec::new();
        }
        self.shingles.sort_unstable();
        self.shingles.dedup();
        self.shingles.clone()
    }
}

#[inline]
fn shingle(words: &[u64]) -> u64 {
    // Fewer words are another shingle than the same words among five.
    let start = (SHINGLE_WORDS - words.len()) as u64;
    finish(
        words
            .iter()
            .zip(FACTORS)
            .fold(start, |sum, (word, factor)| sum.wrapping_add(word.wrapping_mul(factor))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_words_are_a_shingle_and_fewer_are_too() {
        let mut shingler = Shingler::default();
        assert_eq!(shingler.set("one two three four five six seven").len(), 3);
        assert_eq!(shingler.set("one two three four five").len(), 1);
        assert_eq!(shingler.set("one two three four").len(), 1);
        assert_eq!(shingler.set("one").len(), 1);
        assert!(shingler.set(" … ").is_empty());
        assert_eq!(shingler.set(&"the ".repeat(10_000)).len(), 1);
    }

    #[test]
    fn order_and_number_of_words_count() {
        let set = |text: &str| Shingler::default().set(text);
        assert_ne!(set("one two three four five"), set("two one three four five"));
        assert_ne!(set("one two"), set("two one"));
        assert_ne!(set("one one"), set("one one one"));
        assert_eq!(set("One, two!"), set("one two"));
    }
}
