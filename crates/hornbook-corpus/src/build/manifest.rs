//! The manifest of a corpus built from files.

use std::collections::BTreeMap;

use hornbook_types::{
    AssemblySpec, CorpusFile, CorpusStatistics, GateSpec, MixReport, MixSpec, RowFunnel,
    TokenizerFacts,
};
use serde::{Deserialize, Serialize};

use crate::assemble::limits::BYTES_PER_TOKEN;
use crate::assemble::{ColumnTotals, Part as _};
use crate::decontaminate::DecontaminationReport;
use crate::error::AssembleError;
use crate::hashing::sha256_hex;
use crate::sources::SourceFile;

/// A file that a corpus was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFrom {
    /// Its name, or its path below the directory that was named.
    pub file: String,
    /// SHA-256 of its content, 64 hex digits.
    pub sha256: String,
    /// The source of the mix that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl BuiltFrom {
    pub(super) fn of(source: &SourceFile) -> Result<Self, AssembleError> {
        Ok(Self {
            file: source.label().to_owned(),
            sha256: source.digest()?,
            source: source.name().map(str::to_owned),
        })
    }
}

/// Under what licence a source was had, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceLicense {
    /// An SPDX identifier or expression, or words.
    pub license: String,
    /// Where the source comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// Everything that a built corpus is a function of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildSpec {
    /// How documents were assembled.
    pub assembly: AssemblySpec,
    /// How much of which source was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<MixSpec>,
    /// Gates that were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateSpec>,
    /// The tokenizer that counted tokens, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerFacts>,
    /// Licences of the sources, by the name of a file or of a directory above it; nobody checks them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub licenses: BTreeMap<String, SourceLicense>,
    /// Files of documents, in the order of the corpus.
    pub sources: Vec<BuiltFrom>,
    /// Files of benchmarks that were looked for; of them those that `assembly` names, or all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<BuiltFrom>,
    /// Files of other corpora: what is a duplicate of one of their documents went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<BuiltFrom>,
}

impl BuildSpec {
    /// SHA-256 of the spec as compact JSON, 64 hex digits.
    pub fn digest(&self) -> Result<String, AssembleError> {
        let json =
            serde_json::to_vec(self).map_err(|error| AssembleError::Row(error.to_string()))?;
        Ok(sha256_hex(&json))
    }
}

/// `manifest.json` of a built corpus; nothing in it depends on the clock, the machine or an earlier attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildManifest {
    /// A pure function of spec and documents.
    pub content: BuildContent,
    /// Version of the software.
    pub hornbook: String,
}

/// What a built corpus is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildContent {
    /// SHA-1 over the sorted `path NUL sha256 LF` of all files but the manifest's own; 40 hex digits.
    pub commit: String,
    /// SHA-256 of `spec` as JSON; 64 hex digits.
    pub spec_digest: String,
    /// Always false: a built corpus is there when it is complete.
    pub partial: bool,
    /// Rows of the corpus.
    pub rows: u64,
    /// Tokens of those rows.
    pub tokens: u64,
    /// Who counted those tokens.
    pub token_counts: String,
    /// Every file but the manifest itself.
    pub files: Vec<CorpusFile>,
    /// What the corpus was built from, and how.
    pub spec: BuildSpec,
    /// Models that wrote the rows, where the sources say so.
    pub models: Vec<String>,
    /// Documents at each stage; `prompts` are the documents of the sources.
    pub counts: RowFunnel,
    /// What the rows look like.
    #[serde(default)]
    pub statistics: CorpusStatistics,
    /// What became of the mix: every preset and default written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<MixReport>,
    /// What was found of benchmarks, where any were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decontamination: Option<DecontaminationReport>,
}

impl BuildManifest {
    /// As it is stored.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, AssembleError> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|error| AssembleError::Row(error.to_string()))?;
        json.push(b'\n');
        Ok(json)
    }
}

/// Says whose the lengths in tokens are.
pub(super) fn token_counts(totals: &ColumnTotals) -> String {
    let estimate = format!("estimated as bytes / {BYTES_PER_TOKEN}");
    match totals.estimated {
        0 => "the sources' own".to_owned(),
        all if all == totals.documents => estimate,
        some => format!("the sources' own; {estimate} for {some} documents without"),
    }
}
