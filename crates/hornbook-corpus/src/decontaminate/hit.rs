//! What was found in a document.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::benchmarks::Benchmarks;
use super::limits::EXCERPT_CHARS_MAX;

/// A benchmark item that a document leaks, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The benchmark.
    pub benchmark: Arc<str>,
    /// The item's id there.
    pub item_id: Arc<str>,
    /// Bytes of the document that were found in the item: the longest piece, or in the reference mode the first 10-gram.
    pub document_span: Range<usize>,
    /// Words of the item that they are, from 0; absent in the reference mode.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub item_words: Option<Range<u32>>,
    /// Words of the whole item.
    pub item_words_total: u32,
    /// Share of the item in matching blocks; the reference mode's own measure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ratio: Option<f64>,
    /// The beginning of what stands there.
    pub matched: String,
    /// Number of the item.
    #[serde(skip)]
    pub(super) item: u32,
}

/// What items are called; a benchmark's name is held once.
#[derive(Debug)]
pub(super) struct Names {
    benchmarks: Vec<Arc<str>>,
    items: Vec<(u32, Arc<str>)>,
}

impl Names {
    pub(super) fn new(benchmarks: &Benchmarks) -> Self {
        let mut names: Vec<&str> =
            benchmarks.items().iter().map(|item| item.benchmark.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let number = |name: &str| names.partition_point(|&other| other < name) as u32;
        let items = benchmarks
            .items()
            .iter()
            .map(|item| (number(&item.benchmark), Arc::from(item.item_id.as_str())))
            .collect();
        Self { items, benchmarks: names.into_iter().map(Arc::from).collect() }
    }

    /// Names of all benchmarks, sorted.
    pub(super) fn benchmarks(&self) -> &[Arc<str>] {
        &self.benchmarks
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Number of the item's benchmark.
    pub(super) fn benchmark_number(&self, item: u32) -> usize {
        self.items[item as usize].0 as usize
    }

    pub(super) fn benchmark(&self, item: u32) -> &Arc<str> {
        &self.benchmarks[self.benchmark_number(item)]
    }

    pub(super) fn item_id(&self, item: u32) -> &Arc<str> {
        &self.items[item as usize].1
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let ids: usize = self.items.iter().map(|(_, id)| id.len() + 40).sum();
        ids + self.benchmarks.iter().map(|name| name.len() + 40).sum::<usize>()
    }
}

/// The first [`EXCERPT_CHARS_MAX`] characters.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}
