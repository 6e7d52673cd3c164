//! `common_opening`: too many documents of one corpus begin alike.

use hornbook_types::GateSpec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::prose::{Line, lines};

/// Words of an opening: a worn-out formula has four or more ("Once upon a time").
const OPENING_WORDS: usize = 4;
/// Documents that may begin alike however few there are.
const FREE: u64 = 50;
/// Rows of the sketch: a count is too high only where an opening shares a place in every row.
const ROWS: usize = 4;
/// Counters of a row; 4 MiB in all, however many openings there are.
const COLUMNS: usize = 1 << 18;
/// Bytes of a document in which its opening is looked for.
const OPENING_BYTES: usize = 4096;

/// Counts how documents begin and says which of them are too many.
///
/// Among the first n documents that were asked about, at most `share` x n or 50, whichever is more, may
/// begin with the same four words. The answers depend on the order of the texts alone. Memory is 4 MiB
/// whatever the number of documents: counts are kept in a count-min sketch (Cormode and Muthukrishnan
/// 2005) with conservative update, which can only be too high, by at most a hundred-thousandth of all
/// documents.
#[derive(Clone, Debug)]
pub struct OpeningCap {
    share: f64,
    seen: u64,
    counters: Vec<u32>,
}

impl OpeningCap {
    /// The cap that a job asks for; `None` where it asks for none, which is the default.
    pub fn of(gates: &GateSpec) -> Option<Self> {
        gates.max_opening_share.map(|share| Self::new(f64::from(share)))
    }

    /// Begins a corpus in which that share of documents may begin alike.
    pub fn new(share: f64) -> Self {
        Self { share, seen: 0, counters: vec![0; ROWS * COLUMNS] }
    }

    /// True when the next document, in the order of the corpus, may be kept; it counts only then.
    pub fn take(&mut self, text: &str) -> bool {
        self.take_key(opening_key(text))
    }

    /// The same for a document of which only [`opening_key`] is known.
    pub(crate) fn take_key(&mut self, key: u64) -> bool {
        self.seen += 1;
        if key == NO_OPENING {
            return true;
        }
        let places = places(key);
        let count = places.iter().map(|&place| self.counters[place]).min().unwrap_or(0);
        // Exact for any share that is worth having: far below 2^53 documents.
        let allowed = ((self.share * self.seen as f64) as u64).max(FREE);
        if u64::from(count) >= allowed {
            return false;
        }
        for place in places {
            if self.counters[place] == count {
                self.counters[place] = count.saturating_add(1);
            }
        }
        true
    }
}

/// Key of a text without four words.
const NO_OPENING: u64 = 0;

/// A number for how a text begins, equal for texts that begin alike.
pub(crate) fn opening_key(text: &str) -> u64 {
    let key = |opening: String| xxh3_64_with_seed(opening.as_bytes(), 0).max(NO_OPENING + 1);
    opening(text).map_or(NO_OPENING, key)
}

/// Where an opening is counted, one place a row.
fn places(key: u64) -> [usize; ROWS] {
    let mut places = [0; ROWS];
    for (row, place) in places.iter_mut().enumerate() {
        let hash = xxh3_64_with_seed(&key.to_le_bytes(), row as u64);
        // The remainder is below the number of columns.
        *place = row * COLUMNS + (hash % COLUMNS as u64) as usize;
    }
    places
}

/// The first words of the first line of prose, in small letters, a space after each.
pub(crate) fn opening(text: &str) -> Option<String> {
    let text = &text[..text.floor_char_boundary(OPENING_BYTES)];
    let line = lines(text).find_map(|line| match line {
        Line::Prose(words) | Line::Item(words) => Some(words),
        _ => None,
    })?;
    let mut words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut opening = String::new();
    for _ in 0..OPENING_WORDS {
        opening.push_str(&words.next()?.to_lowercase());
        opening.push(' ');
    }
    Some(opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_is_the_first_words_of_prose() {
        let alike = ["Once upon a time, a cat sat.", "# Title\n\n**once** upon\ta TIME there was"];
        for text in alike {
            assert_eq!(opening(text).as_deref(), Some("once upon a time "), "{text}");
        }
        for text in ["", "# Once upon a time", "One two three", "```\nlet mut a = 1\n```"] {
            assert_eq!(opening(text), None, "{text}");
        }
    }
}
