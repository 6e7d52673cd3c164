//! Corpora mixed from several jobs and imports: submitted, claimed by an assembler, published.
//!
//! A row of `mixed_corpora` is to a mixed corpus what a job's row is to its corpus; revisions and
//! files are in the same tables, and the same rules hold for the lease.

mod claim;
mod delete;
mod publish;
mod read;
mod submit;

use hornbook_types::{CorpusSpec, CorpusState, MixedManifest};
use time::OffsetDateTime;
use uuid::Uuid;

pub use claim::{Claimed, MixedKey, claim, fail, heartbeat, release};
pub use delete::{delete, finish_purge, next_purge};
pub use publish::publish;
pub use read::{by_id, get, list, revision};
pub use submit::{request, submit};

/// A mixed corpus as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// Its id.
    pub id: Uuid,
    /// Name shown to people.
    pub name: String,
    /// Where it stands.
    pub state: CorpusState,
    /// What was asked for, every source named and pinned.
    pub spec: CorpusSpec,
    /// Code and words, when it failed.
    pub error: Option<(String, String)>,
    /// When it was submitted.
    pub created_at: OffsetDateTime,
    /// When it was first taken by a worker since it was last asked for.
    pub started_at: Option<OffsetDateTime>,
    /// When it was last ready or failed.
    pub finished_at: Option<OffsetDateTime>,
    /// Goes up with every change.
    pub revision: i64,
    /// The published revision that `main` names, if there is one.
    pub published: Option<MixedSummary>,
}

/// What a list says of a published revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixedSummary {
    /// Commit, 40 hex digits.
    pub commit: String,
    /// True unless every job of it had ended.
    pub partial: bool,
    /// Rows.
    pub rows: u64,
    /// Tokens of those rows.
    pub tokens: u64,
    /// When it was published.
    pub created_at: OffsetDateTime,
}

/// One published revision of a mixed corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct MixedRevision {
    /// Commit, 40 hex digits.
    pub commit: String,
    /// Number of the revision, from 1; the highest is what `main` names.
    pub revision: u32,
    /// True unless every job of it had ended.
    pub partial: bool,
    /// The manifest.
    pub manifest: MixedManifest,
    /// Where the files lie in the corpus store.
    pub location: String,
    /// When it was published.
    pub created_at: OffsetDateTime,
}
