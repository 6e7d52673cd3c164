//! Documents: stored in fenced groups, read in pages, each prompt's outcome exactly once.

mod commit;
mod cost;
mod meter;
mod read;
mod split;

use hornbook_types::{Document, Slug, Verdict};
use time::OffsetDateTime;

pub use commit::{commit_billed, commit_group};
pub use cost::{Bill, Paid};
pub use meter::{COMMIT_CLASSES_MILLIS, CommitMeter, DurationFigures};
pub use read::{PromptOutcome, count_accepted, export_page, get, outcomes, page};
pub use split::commit_group_splitting;

/// Code of a document that the database refused; its row says so in place of the text.
pub const COMMIT_REJECTED: &str = "commit_rejected";

/// What a group commit stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Rows stored now; those that were there before are not counted again.
    pub inserted: u64,
    /// Prompts whose document the database refused, stored as failed with [`COMMIT_REJECTED`].
    pub refused: Vec<u64>,
}

/// Which documents to read; an absent field filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this verdict.
    pub verdict: Option<Verdict>,
    /// Only this gate's name or error code.
    pub reason: Option<String>,
    /// Only this audience.
    pub audience: Option<Slug>,
    /// Only this format.
    pub format: Option<Slug>,
}

/// A stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// The document.
    pub document: Document,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}
