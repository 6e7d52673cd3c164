//! How documents become a corpus.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// Name of the split that has the best documents, for the end of training.
pub const ANNEALING: &str = "annealing";

/// How a job's accepted documents are assembled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AssemblySpec {
    /// Which duplicates to drop. Default `exact`.
    pub dedup: DedupMode,
    /// Benchmarks whose leaks are removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decontaminate: Vec<String>,
    /// Named splits with their shares. Default: everything in `train`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, f64>,
    /// File formats to write. Default both.
    pub format: Vec<ShardFormat>,
}

/// Which documents count as duplicates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DedupMode {
    /// Keep all.
    None,
    /// Same normalised text.
    #[default]
    Exact,
    /// MinHash near duplicates too.
    Near,
}

/// A file format of shards.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub enum ShardFormat {
    /// Apache Parquet, zstd inside.
    #[serde(rename = "parquet")]
    Parquet,
    /// JSON lines, zstd outside.
    #[serde(rename = "jsonl.zst")]
    JsonlZst,
}

impl Default for AssemblySpec {
    fn default() -> Self {
        Self {
            dedup: DedupMode::default(),
            decontaminate: Vec::new(),
            splits: BTreeMap::new(),
            format: vec![ShardFormat::Parquet, ShardFormat::JsonlZst],
        }
    }
}

impl AssemblySpec {
    /// Appends every fault to `faults`, with pointers below `at`.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        if !self.decontaminate.is_empty() {
            faults
                .push(FieldError::not_supported(format!("{at}/decontaminate"), "decontamination"));
        }
        if !self.splits.is_empty() {
            faults.push(FieldError::not_supported(format!("{at}/splits"), "splitting"));
        }
        if self.format.is_empty() {
            faults.push(FieldError::new(format!("{at}/format"), "name at least one format"));
        }
    }
}
