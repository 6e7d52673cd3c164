//! Decontamination: which documents leak benchmark items.
//!
//! `strict` is what a trainer wants; `reference` reproduces the method published with Cosmopedia, so that
//! the two can be compared. Both are pure functions of the items and the text; `strict` depends on the
//! order of neither items nor documents.
//!
//! What `strict` sees of a text are its letters and digits, in lower case and without accents (`normal`);
//! spaces, line ends, hyphens and punctuation are not compared. An item is leaked exactly if
//! enough of its words stand in the document one after the other (`evidence`), beginning and, for items that are only
//! found whole, ending where a word of the document does. In scripts without spaces (Han, kana, Thai, Lao, Burmese,
//! Khmer) a word may begin at every character, and two characters count as one word. Items of fewer than
//! six words, or of the commonest words only, cannot be told from common phrases: they are listed as not checked.

mod benchmarks;
mod common_words;
mod difflib;
mod evidence;
mod hit;
mod index;
pub mod limits;
mod normal;
mod reference;
mod report;
mod spacing_marks;
mod strict;

#[cfg(test)]
mod python_tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use benchmarks::{BenchmarkError, BenchmarkFault, BenchmarkItem, Benchmarks};
pub use hit::Hit;
pub use report::{BenchmarkCounts, DecontaminationReport, HitCounts, HitLine};

use hit::Names;
use reference::Reference;
use strict::Strict;

/// How documents are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every item that shares enough words in one piece is a hit.
    #[default]
    Strict,
    /// Cosmopedia's published method: a 10-gram, then more than half of one item's characters.
    Reference,
}

/// An item that is too short to be checked, or has only the commonest words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchecked {
    /// The benchmark.
    pub benchmark: Arc<str>,
    /// The item's id there.
    pub item_id: Arc<str>,
    /// Its words.
    pub words: u64,
}

/// Finds benchmark items in documents; shared by any number of threads.
#[derive(Debug)]
pub struct Decontaminator {
    names: Names,
    not_checked: Vec<Unchecked>,
    finder: Finder,
}

#[derive(Debug)]
enum Finder {
    Strict(Box<Strict>),
    Reference(Reference),
}

impl Decontaminator {
    /// Indexes all items; the texts themselves are not kept.
    pub fn new(benchmarks: &Benchmarks, mode: Mode) -> Self {
        let names = Names::new(benchmarks);
        let mut not_checked = Vec::new();
        let unchecked = |item, words| {
            let (benchmark, item_id) = (names.benchmark(item).clone(), names.item_id(item).clone());
            not_checked.push(Unchecked { benchmark, item_id, words: words as u64 });
        };
        let finder = match mode {
            Mode::Strict => Finder::Strict(Box::new(Strict::new(benchmarks, unchecked))),
            Mode::Reference => Finder::Reference(Reference::new(benchmarks, unchecked)),
        };
        not_checked.sort_by(|a, b| (&a.benchmark, &a.item_id).cmp(&(&b.benchmark, &b.item_id)));
        Self { names, not_checked, finder }
    }

    /// The items that a document leaks, at most [`limits::HITS_MAX`], in order of where they begin in
    /// it, then of benchmark and item.
    pub fn check(&self, text: &str) -> Vec<Hit> {
        match &self.finder {
            Finder::Strict(strict) => strict.check(text, &self.names),
            Finder::Reference(reference) => reference.check(text, &self.names),
        }
    }

    /// How documents are checked.
    pub fn mode(&self) -> Mode {
        match self.finder {
            Finder::Strict(_) => Mode::Strict,
            Finder::Reference(_) => Mode::Reference,
        }
    }

    /// The items that cannot be checked, sorted by benchmark and item.
    pub fn not_checked(&self) -> &[Unchecked] {
        &self.not_checked
    }

    /// Bytes that the index takes.
    pub fn memory_bytes(&self) -> usize {
        let finder = match &self.finder {
            Finder::Strict(strict) => strict.memory_bytes(),
            Finder::Reference(reference) => reference.memory_bytes(),
        };
        finder + self.names.memory_bytes()
    }

    fn names(&self) -> &Names {
        &self.names
    }
}
