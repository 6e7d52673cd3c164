//! What leaves the service: rows, files and the manifest that vouches for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{CorpusStatistics, PinnedJobSpec, Usage};

/// One row of a corpus. The first six columns are those that Cosmopedia v2 published.
///
/// A row holds no job id, clock or latency: the same spec and answers give the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CorpusRow {
    /// The prompt as sent.
    pub prompt: String,
    /// The document.
    pub text: String,
    /// Completion tokens as the endpoint counted them, or the text's as the assembly's tokenizer does.
    pub token_length: u32,
    /// Audience, by name.
    pub audience: String,
    /// Format.
    pub format: String,
    /// The seed record as JSON text.
    pub seed_data: String,
    /// First 32 hex digits of SHA-256(spec digest, seq); names the row across rebuilds.
    pub id: String,
    /// Number of the prompt within its job.
    pub seq: u64,
    /// Template, `name@version`.
    pub template: String,
    /// Endpoint that answered.
    pub endpoint: String,
    /// Model that the endpoint said it was.
    pub model: String,
    /// Seed that the prompt drew with; a string, as in the API.
    pub sampling_seed: String,
    /// Why generation stopped.
    pub finish_reason: String,
    /// Numbers that gates measured, as JSON text.
    pub scores: String,
}

/// One file of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CorpusFile {
    /// Path below the corpus, such as `data/train-00000-of-00001.parquet`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, 64 hex digits.
    pub sha256: String,
    /// Rows; absent for files that are not data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Token ids in it, those that end documents included; absent for files without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// The tokenizer that counted a corpus's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenizerFacts {
    /// What it was asked for by.
    pub name: String,
    /// SHA-256 of its `tokenizer.json`, 64 hex digits.
    pub sha256: String,
    /// Ids that there may be: the largest, and 1.
    pub vocabulary: u64,
    /// Spelling of the special token that ends documents in token formats, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_text: Option<String>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_text_id: Option<u32>,
}

/// `manifest.json`: everything needed to check a corpus or to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Manifest {
    /// A pure function of spec and documents.
    pub content: ManifestContent,
    /// About this run; outside the commit.
    pub run: ManifestRun,
}

/// The part of a manifest that depends on nothing but spec and documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ManifestContent {
    /// SHA-1 over the sorted `path NUL sha256 LF` of all files but the manifest's own; 40 hex digits.
    pub commit: String,
    /// SHA-256 of the pinned spec as JSON; 64 hex digits.
    pub spec_digest: String,
    /// True unless every prompt of the job ended.
    pub partial: bool,
    /// Rows of the corpus.
    pub rows: u64,
    /// Completion tokens of those rows.
    pub tokens: u64,
    /// Who counted those tokens: the endpoints' own usage figures, or the tokenizer.
    pub token_counts: String,
    /// The tokenizer that counted them, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerFacts>,
    /// Every file but the manifest itself.
    pub files: Vec<CorpusFile>,
    /// Everything that a prompt was made from, pinned.
    pub spec: PinnedJobSpec,
    /// Models that answered, with the SHA-256 of the model file where it is known.
    pub models: BTreeMap<String, Option<String>>,
    /// Documents at each stage.
    pub counts: RowFunnel,
    /// What the rows look like; empty in manifests of earlier versions.
    #[serde(default)]
    pub statistics: CorpusStatistics,
    /// Kernels that computed, for reproducing bytes; absent for remote endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction_set: Option<String>,
}

/// Documents at each stage between prompt and corpus; every drop has its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RowFunnel {
    /// Prompts of the job.
    pub prompts: u64,
    /// Prompts that ended.
    pub ended: u64,
    /// Prompts without an answer, by error code.
    pub failed: BTreeMap<String, u64>,
    /// Documents that a gate refused, by its name.
    pub rejected: BTreeMap<String, u64>,
    /// Documents that passed every gate.
    pub accepted: u64,
    /// Accepted documents that were asked for and that no prompt gave, by template and audience.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shortfall: BTreeMap<String, u64>,
    /// Documents dropped at assembly, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Rows that repeat another one, because a mix reads its document more than once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Rows of the corpus: `accepted` less everything dropped, and `repeated`.
    pub rows: u64,
    /// Rows by audience, then format.
    pub cells: BTreeMap<String, BTreeMap<String, u64>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The part of a manifest that is about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ManifestRun {
    /// The job.
    pub job: Uuid,
    /// Version of the software.
    pub hornbook: String,
    /// When the job was submitted.
    #[serde(with = "time::serde::rfc3339")]
    pub submitted_at: OffsetDateTime,
    /// When the corpus was assembled.
    #[serde(with = "time::serde::rfc3339")]
    pub assembled_at: OffsetDateTime,
    /// Tokens that the whole job used, rejected documents included.
    pub usage: Usage,
    /// Accepted documents that are not in the corpus because their line's quota was met without them.
    #[serde(default)]
    pub surplus: u64,
    /// The user's own labels and whatever else is about this run alone.
    #[schema(value_type = Object)]
    pub labels: Map<String, Value>,
}
