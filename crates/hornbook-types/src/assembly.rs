//! How documents become a corpus.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::limits::{SPLIT_NAME_BYTES, SPLIT_SHARE_MIN, SPLITS};

/// Name of the split that has the best documents, for the end of training.
pub const ANNEALING: &str = "annealing";
/// Name of the split that everything is in unless a spec says otherwise.
pub const TRAIN: &str = "train";

/// How a job's accepted documents are assembled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AssemblySpec {
    /// Which duplicates to drop. Default `exact`.
    pub dedup: DedupMode,
    /// Benchmarks whose leaks are removed, `name` or `name@version`; stored with their versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decontaminate: Vec<String>,
    /// SHA-256 of the items of each benchmark, filled in when a job is submitted; nobody sends it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub benchmarks: BTreeMap<String, String>,
    /// Splits by name with their shares of the tokens, which sum to 1. `annealing` has the best documents, by their
    /// score or else by how far they are from what gates refuse. Default: everything in `train`.
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
            benchmarks: BTreeMap::new(),
            splits: BTreeMap::new(),
            format: vec![ShardFormat::Parquet, ShardFormat::JsonlZst],
        }
    }
}

impl AssemblySpec {
    /// Appends every fault to `faults`, with pointers below `at`.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        self.check_splits(&format!("{at}/splits"), faults);
        if self.format.is_empty() {
            faults.push(FieldError::new(format!("{at}/format"), "name at least one format"));
        }
    }
    fn check_splits(&self, at: &str, faults: &mut Vec<FieldError>) {
        if self.splits.is_empty() {
            return;
        }
        for (name, share) in &self.splits {
            let known =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            let well_formed = name.len() <= SPLIT_NAME_BYTES
                && name.bytes().all(known)
                && name.starts_with(|c: char| c.is_ascii_lowercase());
            // 'all' is a word of the datasets library: every split at once.
            if !well_formed || name == "all" {
                let detail = format!(
                    "a split's name is 1 to {SPLIT_NAME_BYTES} of a-z, 0-9 and '_', beginning with a letter, and not 'all'"
                );
                faults.push(FieldError::new(at, detail));
            }
            if !(SPLIT_SHARE_MIN..=1.0).contains(share) {
                let detail = format!("needs {SPLIT_SHARE_MIN} to 1");
                faults.push(FieldError::new(format!("{at}/{name}"), detail));
            }
        }
        let sum: f64 = self.splits.values().sum();
        if (sum - 1.0).abs() > 1e-6 {
            faults.push(FieldError::new(at, format!("shares sum to 1, and these to {sum}")));
        }
        if self.splits.len() > SPLITS {
            faults.push(FieldError::new(at, format!("at most {SPLITS} splits")));
        }
    }

    /// Names of the splits, the largest first: `train` alone unless the spec says otherwise.
    pub fn split_names(&self) -> Vec<&str> {
        let mut splits: Vec<(&String, &f64)> = self.splits.iter().collect();
        splits.sort_by(|a, b| b.1.total_cmp(a.1));
        let names: Vec<&str> = splits.into_iter().map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { vec![TRAIN] } else { names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(splits: serde_json::Value) -> Vec<String> {
        let json = serde_json::json!({ "splits": splits });
        let spec: AssemblySpec = serde_json::from_value(json).unwrap();
        let mut faults = Vec::new();
        spec.check("", &mut faults);
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn shares_sum_to_one_and_names_are_those_of_files() {
        use serde_json::json;
        assert!(faults(json!({})).is_empty());
        assert!(faults(json!({"train": 0.9, "validation": 0.07, "annealing": 0.03})).is_empty());
        assert_eq!(faults(json!({"train": 0.9})), ["/splits"]);
        assert_eq!(faults(json!({"train": 1.5, "test": -0.5})), ["/splits/test", "/splits/train"]);
        for name in ["", "Train", "a-b", "../x", "9", "all"] {
            assert_eq!(faults(json!({name: 1.0})), ["/splits"], "{name}");
        }
    }

    #[test]
    fn the_largest_split_comes_first() {
        let splits = [("annealing", 0.1), ("train", 0.88), ("validation", 0.02)];
        let splits = splits.map(|(name, share)| (name.to_owned(), share)).into();
        let spec = AssemblySpec { splits, ..AssemblySpec::default() };
        assert_eq!(spec.split_names(), ["train", "annealing", "validation"]);
        assert_eq!(AssemblySpec::default().split_names(), ["train"]);
    }
}
