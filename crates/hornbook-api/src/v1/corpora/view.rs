//! A mixed corpus as clients see it.

use hornbook_db::corpora::mixed::{Mixed, MixedSummary};
use hornbook_types::{AssemblySpec, CorpusState, JobSeed, MixPreset, MixSource};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// A corpus mixed from several sources.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MixedCorpus)]
pub(crate) struct MixedView {
    /// UUIDv7; corpora sort by it in the order of their submission.
    pub(crate) id: Uuid,
    /// Name shown to people.
    name: String,
    /// Where it stands.
    state: CorpusState,
    /// Why it failed.
    error: Option<MixedErrorView>,
    /// Where its documents come from, every source named and pinned.
    sources: Vec<MixSource>,
    /// Shares by a published recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<MixPreset>,
    /// Tokens that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    /// Key of which documents are drawn and of their order.
    seed: JobSeed,
    /// How they are assembled.
    assembly: AssemblySpec,
    /// What can be pulled now; null while nothing was published yet.
    corpus: Option<MixedSummaryView>,
    /// When it was submitted.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When a worker took it, after it was last asked for.
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    /// When it was last ready or failed.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// Goes up with every change.
    revision: i64,
}

/// Why a mixed corpus failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MixedCorpusError)]
pub(crate) struct MixedErrorView {
    /// Stable word for programs, such as `source_missing` or `disk_full`.
    code: String,
    /// What happened, for people.
    message: String,
}

/// The published revision of a mixed corpus, in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MixedCorpusSummary)]
pub(crate) struct MixedSummaryView {
    /// 40 hex digits that name this very content.
    commit: String,
    /// True unless every prompt of every job had ended.
    partial: bool,
    /// Rows.
    rows: u64,
    /// Tokens of those rows.
    tokens: u64,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Mixed> for MixedView {
    fn from(mixed: Mixed) -> Self {
        let spec = mixed.spec;
        Self {
            id: mixed.id,
            name: mixed.name,
            state: mixed.state,
            error: mixed.error.map(|(code, message)| MixedErrorView { code, message }),
            sources: spec.sources,
            preset: spec.preset,
            tokens: spec.tokens,
            seed: spec.seed,
            assembly: spec.assembly,
            corpus: mixed.published.map(MixedSummaryView::from),
            created_at: mixed.created_at,
            started_at: mixed.started_at,
            finished_at: mixed.finished_at,
            revision: mixed.revision,
        }
    }
}

impl From<MixedSummary> for MixedSummaryView {
    fn from(summary: MixedSummary) -> Self {
        let MixedSummary { commit, partial, rows, tokens, created_at } = summary;
        Self { commit, partial, rows, tokens, created_at }
    }
}
