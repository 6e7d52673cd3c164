//! What a corpus looks like from outside: distributions, openings and groups of its rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Statistics of the rows of a corpus; a function of the rows and their order alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct CorpusStatistics {
    /// Tokens per document.
    pub tokens: Distribution,
    /// Flesch-Kincaid grade per document, of those that are English running text and long enough to have one.
    pub grades: Distribution,
    /// The same by audience.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub grades_by_audience: BTreeMap<String, Distribution>,
    /// Numbers in the column `scores`, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, Distribution>,
    /// Documents by the language that their beginning looks like, ISO 639-1; of those with enough running text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<String, u64>,
    /// How documents begin.
    pub openings: Openings,
    /// Rows by split.
    pub splits: BTreeMap<String, GroupCounts>,
    /// Documents by source, where there is more than one kind of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, GroupCounts>,
}

/// How a number is spread over documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Distribution {
    /// Documents that have the number.
    pub documents: u64,
    /// Its mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// Twentieth part of the documents have less; this quantile and the next ones are off by at most 1 %.
    pub p5: f64,
    /// A quarter has less.
    pub p25: f64,
    /// Half have less.
    pub p50: f64,
    /// Three quarters have less.
    pub p75: f64,
    /// All but a twentieth part have less.
    pub p95: f64,
    /// The largest.
    pub max: f64,
    /// The bars of a histogram, in order, without gaps.
    pub bins: Vec<Bin>,
}

/// A bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Bin {
    /// The smallest number that belongs here.
    pub from: f64,
    /// The next bar's smallest number.
    pub to: f64,
    /// Documents.
    pub documents: u64,
}

/// How documents begin: the first four words of running text, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Openings {
    /// Documents that have four words of running text at their beginning.
    pub documents: u64,
    /// By how much counts may be too low at most; 0 when they are exact.
    pub undercount: u64,
    /// Different openings; absent unless counts are exact.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub different: Option<u64>,
    /// The most frequent ones, most frequent first.
    pub top: Vec<OpeningCount>,
}

/// An opening and how often it is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OpeningCount {
    /// The words.
    pub opening: String,
    /// Documents that begin so.
    pub documents: u64,
}

/// Documents of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupCounts {
    /// Documents that were read.
    pub documents: u64,
    /// Those that are rows of the corpus.
    pub rows: u64,
    /// Tokens of those rows.
    pub tokens: u64,
}
