//! Benchmark items, documents that leak them, and documents that do not.

use hornbook_corpus::decontaminate::BenchmarkItem;

use crate::code;
use crate::dress;
use crate::prose::{Draw, Language};

/// Bytes of a document before anything is planted in it.
pub(crate) const DOCUMENT_BYTES: usize = 2_200;
const PROSE_ITEMS: usize = 4_000;
const CODE_ITEMS: usize = 400;
const TINY_ITEMS: usize = 600;
const UNDECIDABLE_ITEMS: usize = 50;
/// Pairs for each order of loading.
const CONTAINED_ITEMS: usize = 500;
/// Items of which one 10-gram is less than half.
const DECOY_WORDS_MIN: usize = 23;

/// Items by what they are for.
pub(crate) struct Items {
    /// Everything, in the order of loading.
    pub(crate) all: Vec<BenchmarkItem>,
    prose: Vec<usize>,
    code: Vec<usize>,
    tiny: Vec<usize>,
    /// Items that another one contains that was loaded earlier.
    inner_last: Vec<usize>,
    /// Items that another one contains that was loaded later.
    inner_first: Vec<usize>,
}

/// A document, and the number of the item it leaks.
pub(crate) struct Document {
    /// Its text.
    pub(crate) text: String,
    /// What it leaks.
    pub(crate) leaks: Option<usize>,
}

impl Items {
    /// The same for the same seed.
    pub(crate) fn new(language: &Language, draw: &mut Draw) -> Self {
        let mut items = Self {
            all: Vec::new(),
            prose: Vec::new(),
            code: Vec::new(),
            tiny: Vec::new(),
            inner_last: Vec::new(),
            inner_first: Vec::new(),
        };
        for _ in 0..PROSE_ITEMS {
            let words = draw.between(10, 90);
            let number = items.add("prose", language.question(draw, words));
            items.prose.push(number);
        }
        for _ in 0..CODE_ITEMS {
            let number = items.add("code", code::function(language, draw).trim_end().to_owned());
            items.code.push(number);
        }
        for _ in 0..TINY_ITEMS {
            let words = draw.between(6, 9);
            let mut text = language.question(draw, words);
            while !text.split_whitespace().any(|word| word.len() > 7) {
                // Of function words alone, as no question is.
                text = language.question(draw, words);
            }
            let number = items.add("tiny", text);
            items.tiny.push(number);
        }
        for _ in 0..UNDECIDABLE_ITEMS {
            let words = draw.between(2, 5);
            items.add("undecidable", language.question(draw, words));
        }
        for _ in 0..CONTAINED_ITEMS {
            for inner_first in [true, false] {
                let words = draw.between(10, 24);
                let inner = language.question(draw, words);
                let (before, after) = (draw.between(15, 40), draw.between(15, 40));
                let outer = language.question(draw, before)
                    + " "
                    + &inner
                    + " "
                    + &language.question(draw, after);
                if inner_first {
                    let number = items.add("contained", inner);
                    items.inner_first.push(number);
                    items.add("contained", outer);
                } else {
                    items.add("contained", outer);
                    let number = items.add("contained", inner);
                    items.inner_last.push(number);
                }
            }
        }
        items
    }

    fn add(&mut self, benchmark: &str, text: String) -> usize {
        let number = self.all.len();
        let item_id = format!("{benchmark}/{number}");
        self.all.push(BenchmarkItem { benchmark: benchmark.to_owned(), item_id, text });
        number
    }

    fn words(&self, item: usize) -> Vec<&str> {
        self.all[item].text.split_whitespace().collect()
    }

    /// An item of those, with at least so many and at most so many words.
    fn sized(&self, draw: &mut Draw, of: &[usize], low: usize, high: usize) -> usize {
        loop {
            let item = draw.one(of);
            if (low..=high).contains(&self.words(item).len()) {
                return item;
            }
        }
    }
}

/// Kinds of documents that leak an item.
pub(crate) const LEAKS: [&str; 11] = [
    "verbatim",
    "re-cased",
    "re-punctuated",
    "wrapped",
    "hyphenated",
    "half",
    "contained, loaded first",
    "contained, loaded last",
    "tiny",
    "code, indented anew",
    "tiny, re-punctuated",
];
/// Kinds of documents that leak nothing.
pub(crate) const CLEAN: [&str; 6] = [
    "clean prose",
    "clean code",
    "clean tables",
    "10-gram of a long item",
    "10-gram of code",
    "10-gram of an item of 12 to 22 words",
];

/// A document of a kind.
pub(crate) fn document(
    kind: &str,
    items: &Items,
    language: &Language,
    draw: &mut Draw,
) -> Document {
    let text_of = |item: usize| items.all[item].text.clone();
    let (planted, leaks) = match kind {
        "clean prose" => (String::new(), None),
        "clean code" => {
            let text = code::module(language, draw, DOCUMENT_BYTES).concat();
            return Document { text, leaks: None };
        }
        "clean tables" => {
            return Document { text: code::tables(language, draw, DOCUMENT_BYTES), leaks: None };
        }
        "10-gram of a long item" => {
            let item = items.sized(draw, &items.prose, DECOY_WORDS_MIN, usize::MAX);
            (ten_words(draw, &items.words(item)), None)
        }
        "10-gram of an item of 12 to 22 words" => {
            let item = items.sized(draw, &items.prose, 12, DECOY_WORDS_MIN - 1);
            (ten_words(draw, &items.words(item)), None)
        }
        "10-gram of code" => {
            let item = items.sized(draw, &items.code, DECOY_WORDS_MIN, usize::MAX);
            (ten_words(draw, &items.words(item)), None)
        }
        "half" => {
            let item = items.sized(draw, &items.prose, 20, usize::MAX);
            let words = items.words(item);
            let half = words.len() / 2;
            let from = draw.between(0, words.len() - half);
            (words[from..from + half].join(" "), Some(item))
        }
        "contained, loaded first" => leak(draw.one(&items.inner_first), text_of),
        "contained, loaded last" => leak(draw.one(&items.inner_last), text_of),
        "tiny" => leak(draw.one(&items.tiny), text_of),
        "tiny, re-punctuated" => {
            let item = draw.one(&items.tiny);
            (dress::repunctuated(draw, &text_of(item)), Some(item))
        }
        "code, indented anew" => {
            let item = draw.one(&items.code);
            let module = code::module(language, draw, DOCUMENT_BYTES);
            let text = text_of(item).replace("    ", "\t").replace(" = ", "=");
            return plant(draw, module, &text, Some(item));
        }
        _ => {
            let item = draw.one(&items.prose);
            let text = text_of(item);
            let dressed = match kind {
                "re-cased" => dress::recased(draw, &text),
                "re-punctuated" => dress::repunctuated(draw, &text),
                "wrapped" => dress::wrapped(draw, &text),
                "hyphenated" => dress::hyphenated(draw, &text),
                _ => text,
            };
            (dressed, Some(item))
        }
    };
    let prose = language.prose(draw, DOCUMENT_BYTES);
    plant(draw, prose, &planted, leaks)
}

fn leak(item: usize, text_of: impl Fn(usize) -> String) -> (String, Option<usize>) {
    (text_of(item), Some(item))
}

fn ten_words(draw: &mut Draw, words: &[&str]) -> String {
    let from = draw.between(0, words.len() - 10);
    words[from..from + 10].join(" ")
}

fn plant(draw: &mut Draw, mut parts: Vec<String>, planted: &str, leaks: Option<usize>) -> Document {
    if !planted.is_empty() {
        let at = draw.between(0, parts.len());
        parts.insert(at, format!("{planted} "));
    }
    Document { text: parts.concat(), leaks }
}
