//! Corpora: published revisions of what documents became, of one job or mixed from several sources.

pub mod mixed;
mod publish;
mod read;

use hornbook_types::{CorpusFile, Manifest};
use time::OffsetDateTime;
use uuid::Uuid;

pub use publish::{Pruned, Published, publish};
pub use read::{by_job, file, files, list, revision, revisions};

/// Whose corpus it is; a bare id is a job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A job.
    Job(Uuid),
    /// A corpus mixed from several sources.
    Mixed(Uuid),
}

impl From<Uuid> for Owner {
    fn from(job: Uuid) -> Self {
        Self::Job(job)
    }
}

impl Owner {
    /// Its id.
    pub fn id(self) -> Uuid {
        match self {
            Self::Job(id) | Self::Mixed(id) => id,
        }
    }

    /// Its table.
    fn table(self) -> &'static str {
        match self {
            Self::Job(_) => "jobs",
            Self::Mixed(_) => "mixed_corpora",
        }
    }

    /// The column of `corpora` that names it.
    fn column(self) -> &'static str {
        match self {
            Self::Job(_) => "job_id",
            Self::Mixed(_) => "mixed_id",
        }
    }
}

/// One published revision of a job's corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Corpus {
    /// Id of the row; goes up with each new commit.
    pub id: i64,
    /// The job.
    pub job_id: Uuid,
    /// Commit, 40 hex digits.
    pub commit: String,
    /// Number of the revision within the job, from 1; the highest is what `main` names.
    pub revision: u32,
    /// True unless every prompt of the job had ended.
    pub partial: bool,
    /// The manifest.
    pub manifest: Manifest,
    /// Where the files lie in the corpus store.
    pub location: String,
    /// When it was published.
    pub created_at: OffsetDateTime,
}

/// A line of the list of corpora.
#[derive(Clone, Debug, PartialEq)]
pub struct CorpusSummary {
    /// Id of the row, by which the list is ordered.
    pub id: i64,
    /// The job.
    pub job_id: Uuid,
    /// The job's name.
    pub name: String,
    /// Commit that `main` names.
    pub commit: String,
    /// True unless every prompt of the job had ended.
    pub partial: bool,
    /// Rows.
    pub rows: u64,
    /// Completion tokens of those rows.
    pub tokens: u64,
    /// When it was published.
    pub created_at: OffsetDateTime,
}

/// One file of one revision, with what is needed to serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Commit of the revision that it belongs to.
    pub commit: String,
    /// Where that revision lies in the corpus store; the file is at `location/path`.
    pub location: String,
    /// The file.
    pub file: CorpusFile,
}
