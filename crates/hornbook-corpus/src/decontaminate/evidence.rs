//! How much of an item must stand in a document before it counts as leaked.
//!
//! A word of an item is what white space sets apart (in scripts without spaces, every two characters).
//! Of an item of n words, `clamp(0.45 n, 10, 13)` in one piece are asked for, so that half of an item is
//! found and a single 10-gram of a longer one is not; an item of fewer than ten words must stand there whole.
//! The piece grows until it also says something: five letters for every two words (a digit is half
//! a letter), and for every four words one that has more than two letters, is none of the commonest of
//! prose and programs, and has not been counted before. "Which of the following is an example of", a row
//! of numbers, or `if n == 0: return 0` are no evidence.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::common_words::is_common;
use super::limits::{
    ITEM_WORDS_MIN, ITEM_WORDS_WHOLE, SPAN_BYTES_MAX, SPAN_WORDS_MAX, SPAN_WORDS_MIN,
};
use super::normal::Normaliser;

/// Units of a word between spaces; a character of a script without them has one.
const WORD_UNITS: usize = 2;
/// What a letter weighs; a digit weighs 1.
const LETTER_WEIGHT: usize = 2;
/// What each word of a span must weigh on average: two letters and a half.
const WORD_WEIGHT: usize = 5;
/// For so many words there must be a telling one.
const TELLING_SHARE: usize = 4;
/// Shorter words tell nothing.
const TELLING_BYTES: usize = 3;

/// A piece of an item that is evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Where it begins in the item's stream.
    pub(super) at: usize,
    /// Its bytes in the stream.
    pub(super) bytes: usize,
    /// Its first word in the item.
    pub(super) first_word: usize,
    /// Its words.
    pub(super) words: usize,
    /// True when it is the item, which must end where a word ends.
    pub(super) whole: bool,
}

/// A word of an item.
#[derive(Clone, Copy)]
struct Word<'a> {
    at: usize,
    units: usize,
    weight: usize,
    /// The first of its runs that tells something.
    telling: Option<&'a [u8]>,
}

/// An item cut into the windows by which it is found.
#[derive(Debug)]
pub(super) struct Cut {
    /// Letters and digits of the item.
    pub(super) stream: Vec<u8>,
    /// Its words.
    pub(super) words: usize,
    /// Its windows, in order; none when it has too few words to be checked, or only the commonest.
    pub(super) windows: Vec<Window>,
}

/// Words in one piece that are asked of an item of so many.
pub(super) fn span_words(words: usize) -> usize {
    if words < ITEM_WORDS_WHOLE {
        return words;
    }
    (words * 9).div_ceil(20).clamp(SPAN_WORDS_MIN, SPAN_WORDS_MAX)
}

/// Finds the windows of an item.
pub(super) fn cut(text: &str) -> Cut {
    let normal = Normaliser::whole(text);
    let words = words_of(text, &normal);
    let units: usize = words.iter().map(|word| word.units).sum();
    let count = units.div_ceil(WORD_UNITS);
    let mut windows = Vec::new();
    if count >= ITEM_WORDS_WHOLE {
        windows = windows_of(&words, normal.stream.len(), span_words(count));
    }
    let says_something = words.iter().any(|word| word.telling.is_some())
        || normal.stream.iter().any(u8::is_ascii_digit);
    if count >= ITEM_WORDS_MIN && windows.is_empty() && says_something {
        let bytes = normal.stream.len();
        windows.push(Window {
            at: 0,
            bytes: bytes.min(SPAN_BYTES_MAX),
            first_word: 0,
            words: words.len(),
            whole: bytes <= SPAN_BYTES_MAX,
        });
    }
    Cut { stream: normal.stream, words: count, windows }
}

fn words_of<'a>(text: &str, normal: &'a Normaliser) -> Vec<Word<'a>> {
    let mut words: Vec<Word> = Vec::new();
    for (number, run) in normal.runs.iter().enumerate() {
        let end = normal.runs.get(number + 1).map_or(normal.stream.len(), |next| next.at);
        let bytes = &normal.stream[run.at..end];
        let telling = (run.spaceless || is_telling(bytes)).then_some(bytes);
        let before = number.checked_sub(1).map(|before| normal.runs[before]);
        let goes_on = before.is_some_and(|before| {
            !run.spaceless
                && !before.spaceless
                && !text[before.text_end..run.text_start].contains(char::is_whitespace)
        });
        match words.last_mut() {
            Some(word) if goes_on => {
                word.weight += weight(bytes);
                word.telling = word.telling.or(telling);
            }
            _ => {
                let (units, weight) =
                    if run.spaceless { (1, WORD_WEIGHT) } else { (WORD_UNITS, weight(bytes)) };
                words.push(Word { at: run.at, units, weight, telling });
            }
        }
    }
    words
}

fn weight(bytes: &[u8]) -> usize {
    let of = |&byte: &u8| match byte {
        b'0'..=b'9' => 1,
        // Bytes inside a character.
        0x80..=0xbf => 0,
        _ => LETTER_WEIGHT,
    };
    bytes.iter().map(of).sum()
}

fn is_telling(bytes: &[u8]) -> bool {
    bytes.len() >= TELLING_BYTES && !is_common(bytes)
}

/// From every word on, the shortest piece that is evidence.
fn windows_of(words: &[Word], bytes: usize, span: usize) -> Vec<Window> {
    let mut windows = Vec::new();
    let (mut end, mut units, mut weight) = (0, 0, 0);
    let mut telling: HashMap<&[u8], usize> = HashMap::new();
    for (first, word) in words.iter().enumerate() {
        loop {
            let reached = words.get(end).map_or(bytes, |next| next.at);
            let enough = units >= span * WORD_UNITS
                && weight >= span * WORD_WEIGHT
                && telling.len() >= span / TELLING_SHARE;
            let long = reached - word.at >= SPAN_BYTES_MAX;
            if enough || long {
                windows.push(Window {
                    at: word.at,
                    bytes: (reached - word.at).min(SPAN_BYTES_MAX),
                    first_word: first,
                    words: end - first,
                    whole: false,
                });
                break;
            }
            let Some(next) = words.get(end) else { return windows };
            units += next.units;
            weight += next.weight;
            if let Some(bytes) = next.telling {
                *telling.entry(bytes).or_default() += 1;
            }
            end += 1;
        }
        units -= word.units;
        weight -= word.weight;
        if let Some(bytes) = word.telling
            && let Entry::Occupied(mut count) = telling.entry(bytes)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_an_item_is_enough_and_one_10_gram_of_a_long_one_is_not() {
        for words in 20..400 {
            assert!(span_words(words) <= words / 2, "{words}");
        }
        for words in 23..400 {
            assert!(span_words(words) > 10, "{words}");
        }
        assert_eq!([6, 9, 10, 22, 23, 29].map(span_words), [6, 9, 10, 10, 11, 13]);
    }

    #[test]
    fn phrases_that_say_nothing_are_no_window() {
        let item = "Which of the following is an example of a chemical change in the kitchen at home today?";
        let cut = cut(item);
        assert_eq!(cut.words, 17);
        let first = cut.windows[0];
        assert_eq!((first.first_word, first.words), (0, 11));
        assert_eq!(&cut.stream[..first.bytes], b"whichofthefollowingisanexampleofachemicalchange");
        let code = "for i in range(len(nums)): for j in range(i + 1, len(nums)): if nums[i] + nums[j] == 0: \
            return True return False # nobody knows how deep Atlantis lies";
        let windows = super::cut(code).windows;
        assert!(windows[0].words > 18, "{windows:?}");
        let numbers: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        let windows = super::cut(&numbers.join(" ")).windows;
        assert!(windows.iter().all(|window| window.whole));
    }

    #[test]
    fn short_items_are_whole_or_not_checked() {
        assert_eq!(cut("What is the capital?").windows, []);
        assert_eq!(cut("Which one of these is not true?").windows, []);
        let tiny = cut("What is the capital of Mali?").windows;
        assert_eq!((tiny.len(), tiny[0].whole, tiny[0].words), (1, true, 6));
        // Two characters of a script without spaces are a word.
        assert_eq!(cut("水是生命之源嗎水是").windows, []);
        assert!(cut("水是生命之源嗎水是生命").windows[0].whole);
    }

    #[test]
    fn one_endless_word_is_cut() {
        let cut = cut(&format!("a b c d e f {}", "x".repeat(100_000)));
        assert_eq!((cut.windows.len(), cut.windows[0].bytes), (1, SPAN_BYTES_MAX));
        assert!(!cut.windows[0].whole);
    }
}
