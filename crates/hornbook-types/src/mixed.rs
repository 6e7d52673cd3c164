//! A corpus mixed from several jobs and imports: what a user asks for, and where it stands.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::limits::{JOB_NAME_CHARS, SLUG_BYTES};
use crate::{
    AssemblySpec, CorpusFile, FieldError, Invalid, JobSeed, MixPreset, MixSource, MixSpec,
    RowFunnel,
};

/// A mixed corpus as submitted: a mix with a name, and how its documents are assembled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorpusSpec {
    /// Name shown to people.
    pub name: String,
    /// Shares by a published recipe; sources then have no weights of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<MixPreset>,
    /// Where documents come from, and how much of the corpus each is. Of documents that repeat each other across
    /// sources, the best stays, of equals the one of the first source.
    pub sources: Vec<MixSource>,
    /// Tokens of the whole corpus. Default: as many as the weights allow when no source is repeated more often than its
    /// `max_epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Key of which documents are drawn and of their order. Default 0.
    #[serde(default)]
    pub seed: JobSeed,
    /// How documents are assembled.
    #[serde(default)]
    pub assembly: AssemblySpec,
}

/// Where a mixed corpus stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CorpusState {
    /// Submitted; no worker has taken it yet.
    Queued,
    /// A worker assembles it.
    Assembling,
    /// It can be pulled.
    Ready,
    /// It could not be assembled; an earlier revision stays.
    Failed,
}

/// `manifest.json` of a mixed corpus: that of a corpus built from files, and what is about this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MixedManifest {
    /// A pure function of spec and documents.
    pub content: MixedContent,
    /// About this run; outside the commit.
    pub run: MixedRun,
}

/// The part of a mixed corpus's manifest that depends on nothing but spec and documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MixedContent {
    /// SHA-1 over the sorted `path NUL sha256 LF` of all files but the manifest's own; 40 hex digits.
    pub commit: String,
    /// SHA-256 of `spec` as JSON; 64 hex digits.
    pub spec_digest: String,
    /// True unless every prompt of every job had ended.
    pub partial: bool,
    /// Rows of the corpus.
    pub rows: u64,
    /// Tokens of those rows.
    pub tokens: u64,
    /// Every file but the manifest itself.
    pub files: Vec<CorpusFile>,
    /// What the corpus was built from, by content, and how.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// Documents at each stage; `prompts` are the documents of the sources.
    pub counts: RowFunnel,
    /// Whatever else the assembly says of its content.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: Map<String, Value>,
}

/// The part of a mixed corpus's manifest that is about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MixedRun {
    /// The corpus's id.
    pub corpus: Uuid,
    /// Version of the software.
    pub hornbook: String,
    /// When the corpus was submitted.
    #[serde(with = "time::serde::rfc3339")]
    pub submitted_at: OffsetDateTime,
    /// When it was assembled.
    #[serde(with = "time::serde::rfc3339")]
    pub assembled_at: OffsetDateTime,
    /// Which jobs and imports the sources were.
    pub sources: Vec<MixSource>,
}

impl CorpusState {
    /// Every state, in the order of a corpus's life.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Assembling, Self::Ready, Self::Failed];

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assembling => "assembling",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// True when nothing will happen any more unless a user asks.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Ready | Self::Failed)
    }
}

impl CorpusSpec {
    /// What it is made of.
    pub fn mix(&self) -> MixSpec {
        MixSpec {
            preset: self.preset,
            sources: self.sources.clone(),
            tokens: self.tokens,
            seed: self.seed,
        }
    }

    /// Checks everything that can be said without looking at stored things.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > JOB_NAME_CHARS {
            let range = format!("needs 1 to {JOB_NAME_CHARS} characters");
            faults.push(FieldError::new("/name", range));
        }
        let mut origins = BTreeSet::new();
        for (index, source) in self.sources.iter().enumerate() {
            let at = format!("/sources/{index}");
            if source.job.is_none() && source.import.is_none() {
                faults.push(FieldError::new(at, "needs a job or an import"));
            } else if source.name.is_some() && !origins.insert((source.job, &source.import)) {
                // Without names of their own they have the same one, which is said below.
                faults.push(FieldError::new(at, "is named twice"));
            }
        }
        Invalid::from_faults(faults)?;
        let mut faults = Vec::new();
        self.mix().check("", &mut faults);
        self.assembly.check("/assembly", &mut faults);
        Invalid::from_faults(faults)
    }
}

/// A name for a source after what people call it: `Ponds & stars` becomes `ponds-stars`.
///
/// A name without a letter or digit of ASCII becomes `job`.
pub fn source_name(title: &str) -> String {
    let mut name = String::with_capacity(SLUG_BYTES);
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(&word.to_ascii_lowercase());
    }
    // Room is left for a number that tells it from another of the same name.
    name.truncate(SLUG_BYTES - 8);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(sources: serde_json::Value) -> Vec<String> {
        let json = serde_json::json!({"name": "n", "sources": sources});
        let spec: CorpusSpec = serde_json::from_value(json).unwrap();
        let faults = spec.check().err().map(|invalid| invalid.0).unwrap_or_default();
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn every_fault_has_its_place() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let good = serde_json::json!([
            {"job": a, "weight": 7}, {"job": b, "tokens": 9, "max_epochs": 2}, {"import": "web"}
        ]);
        assert_eq!(pointers(good), [""; 0]);
        assert_eq!(pointers(serde_json::json!([])), ["/sources"]);
        assert_eq!(pointers(serde_json::json!([{}, {"name": "x"}])), ["/sources/0", "/sources/1"]);
        let twice = serde_json::json!([{"job": a, "name": "x"}, {"job": a, "name": "y"}]);
        assert_eq!(pointers(twice), ["/sources/1"]);
        assert_eq!(pointers(serde_json::json!([{"job": a}, {"job": a}])), ["/sources/1/name"]);
        let bad = serde_json::json!([
            {"job": a, "import": "web"}, {"job": b, "weight": 1, "tokens": 1}, {"import": "x", "weight": 0}
        ]);
        assert_eq!(pointers(bad), ["/sources/0", "/sources/1/tokens", "/sources/2/weight"]);
    }

    #[test]
    fn a_source_is_named_after_its_title() {
        for (title, name) in
            [("Ponds & stars", "ponds-stars"), (" 7! ", "7"), ("дом", "job"), ("--", "job")]
        {
            assert_eq!(source_name(title), name, "{title}");
        }
        assert!(source_name(&"long ".repeat(40)).len() <= SLUG_BYTES - 8);
    }
}
