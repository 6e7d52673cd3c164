//! How documents become a corpus.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::limits::{
    END_OF_TEXT_BYTES, SPLIT_NAME_BYTES, SPLIT_SHARE_MIN, SPLITS, TOKENIZER_NAME_BYTES,
};

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
    /// File formats to write. Default Parquet and JSON lines.
    pub format: Vec<ShardFormat>,
    /// The tokenizer that counts `token_length` and fills token formats; endpoints' own counts stay without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// The special token that ends documents in token formats. Default: the first of the usual ones that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_text: Option<String>,
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
    /// Conversations of role and content as JSON lines, zstd outside.
    #[serde(rename = "messages.jsonl.zst")]
    Messages,
    /// Token ids of one split after another, as nanoGPT maps them into memory.
    #[serde(rename = "nanogpt.bin")]
    NanoGpt,
    /// Token ids and their index, as Megatron-LM's indexed dataset.
    #[serde(rename = "megatron")]
    Megatron,
    /// Token ids, their index and its metadata, as datatrove writes them.
    #[serde(rename = "datatrove.ds")]
    Datatrove,
}

impl ShardFormat {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::JsonlZst => "jsonl.zst",
            Self::Messages => "messages.jsonl.zst",
            Self::NanoGpt => "nanogpt.bin",
            Self::Megatron => "megatron",
            Self::Datatrove => "datatrove.ds",
        }
    }

    /// Whether its files hold whole rows, with every column.
    pub fn has_rows(self) -> bool {
        matches!(self, Self::Parquet | Self::JsonlZst)
    }

    /// Whether its files hold token ids, so that there must be a tokenizer.
    pub fn has_tokens(self) -> bool {
        matches!(self, Self::NanoGpt | Self::Megatron | Self::Datatrove)
    }
}

impl Default for AssemblySpec {
    fn default() -> Self {
        Self {
            dedup: DedupMode::default(),
            decontaminate: Vec::new(),
            benchmarks: BTreeMap::new(),
            splits: BTreeMap::new(),
            format: vec![ShardFormat::Parquet, ShardFormat::JsonlZst],
            tokenizer: None,
            end_of_text: None,
        }
    }
}

impl AssemblySpec {
    /// Appends every fault to `faults`, with pointers below `at`.
    pub fn check(&self, at: &str, faults: &mut Vec<FieldError>) {
        self.check_splits(&format!("{at}/splits"), faults);
        self.check_formats(at, faults);
    }

    fn check_formats(&self, at: &str, faults: &mut Vec<FieldError>) {
        if self.format.is_empty() {
            faults.push(FieldError::new(format!("{at}/format"), "name at least one format"));
        } else if !self.format.iter().any(|format| format.has_rows()) {
            let detail = "name parquet or jsonl.zst too: the other formats leave out where a document comes from";
            faults.push(FieldError::new(format!("{at}/format"), detail));
        }
        let at_tokenizer = format!("{at}/tokenizer");
        match &self.tokenizer {
            None => {
                if let Some(format) = self.format.iter().find(|format| format.has_tokens()) {
                    let detail = format!("the format {} needs a tokenizer", format.as_str());
                    faults.push(FieldError::new(at_tokenizer, detail));
                }
                if self.end_of_text.is_some() {
                    let detail = "is of use with a tokenizer only";
                    faults.push(FieldError::new(format!("{at}/end_of_text"), detail));
                }
            }
            Some(name) if !is_tokenizer_name(name) => {
                let detail = format!(
                    "needs 1 to {TOKENIZER_NAME_BYTES} letters, digits, '.', '_' and '-', a letter or digit first"
                );
                faults.push(FieldError::new(at_tokenizer, detail));
            }
            Some(_) => {}
        }
        let is_word = |token: &String| (1..=END_OF_TEXT_BYTES).contains(&token.len());
        if self.end_of_text.as_ref().is_some_and(|token| !is_word(token)) {
            let detail = format!("needs 1 to {END_OF_TEXT_BYTES} bytes");
            faults.push(FieldError::new(format!("{at}/end_of_text"), detail));
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

/// Where the `tokenizer.json` of a name may lie below each of some directories, in the order of preference.
pub fn tokenizer_places(directories: &[PathBuf], name: &str) -> Vec<PathBuf> {
    if !is_tokenizer_name(name) {
        return Vec::new();
    }
    let both =
        |dir: &PathBuf| [dir.join(name).join("tokenizer.json"), dir.join(format!("{name}.json"))];
    directories.iter().flat_map(both).collect()
}

/// A name that is safe as a part of a path.
fn is_tokenizer_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= TOKENIZER_NAME_BYTES
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(inside)
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

    fn pointers(assembly: &AssemblySpec) -> Vec<String> {
        let mut faults = Vec::new();
        assembly.check("/assembly", &mut faults);
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn token_formats_want_a_tokenizer() {
        let mut assembly = AssemblySpec {
            format: vec![ShardFormat::Parquet, ShardFormat::Megatron],
            ..AssemblySpec::default()
        };
        assert_eq!(pointers(&assembly), ["/assembly/tokenizer"]);
        assembly.tokenizer = Some("gpt2".to_owned());
        assert_eq!(pointers(&assembly), [""; 0]);
        assembly.format = vec![ShardFormat::Megatron];
        assert_eq!(pointers(&assembly), ["/assembly/format"]);
    }

    #[test]
    fn a_tokenizer_is_a_plain_name() {
        for name in ["", "../x", ".x", "a/b", "a b", "-x", "a\0b", &"a".repeat(65)] {
            let tokenizer = Some(name.to_owned());
            let assembly = AssemblySpec { tokenizer, ..AssemblySpec::default() };
            assert_eq!(pointers(&assembly), ["/assembly/tokenizer"], "{name}");
        }
        let end_of_text = Some(String::new());
        let assembly = AssemblySpec { end_of_text, ..AssemblySpec::default() };
        assert_eq!(pointers(&assembly), ["/assembly/end_of_text"; 2]);
    }

    #[test]
    fn formats_are_called_what_they_are_asked_by() {
        use ShardFormat::{Datatrove, JsonlZst, Megatron, Messages, NanoGpt, Parquet};
        for format in [Parquet, JsonlZst, Messages, NanoGpt, Megatron, Datatrove] {
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
        }
    }
}
