//! Which dataset and which revision a client means.

use std::fmt;

use hornbook_db::corpora::Owner;
use http::StatusCode;
use http::header::HeaderName;
use uuid::Uuid;

use crate::Problem;

/// Says in a word what went wrong; clients choose their exception by it.
pub(super) const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// The commit that an answer was made from.
pub(super) const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
/// The branch that every dataset has.
pub(super) const MAIN: &str = "main";
/// Hex digits of a commit.
const COMMIT_DIGITS: usize = 40;

/// What kind of thing a dataset was made from: the first part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// A job's corpus.
    Jobs,
    /// A corpus mixed from several sources.
    Corpora,
}

/// A dataset's name, `jobs/{id}` or `corpora/{id}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dataset {
    pub(super) namespace: Namespace,
    pub(super) id: Uuid,
}

impl Dataset {
    /// The dataset of that name; a bad name names nothing.
    pub(super) fn parse(namespace: &str, id: &str) -> Result<Self, Problem> {
        let namespace = match namespace {
            "jobs" => Namespace::Jobs,
            "corpora" => Namespace::Corpora,
            _ => return Err(no_dataset()),
        };
        let id = id.parse().map_err(|_| no_dataset())?;
        Ok(Self { namespace, id })
    }
}

impl From<Dataset> for Owner {
    fn from(dataset: Dataset) -> Self {
        match dataset.namespace {
            Namespace::Jobs => Self::Job(dataset.id),
            Namespace::Corpora => Self::Mixed(dataset.id),
        }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = match self.namespace {
            Namespace::Jobs => "jobs",
            Namespace::Corpora => "corpora",
        };
        write!(out, "{namespace}/{}", self.id)
    }
}

/// Which revision a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The newest one.
    Main,
    /// The one with this commit.
    Commit(String),
}

impl Asked {
    /// Reads `main` or 40 hex digits; there are no tags and no other branches.
    pub(super) fn parse(revision: &str) -> Result<Self, Problem> {
        if revision == MAIN {
            return Ok(Self::Main);
        }
        let is_commit =
            revision.len() == COMMIT_DIGITS && revision.bytes().all(|b| b.is_ascii_hexdigit());
        if is_commit { Ok(Self::Commit(revision.to_ascii_lowercase())) } else { Err(no_revision()) }
    }

    /// The commit, unless the newest revision is asked for.
    pub(super) fn commit(&self) -> Option<&str> {
        match self {
            Self::Main => None,
            Self::Commit(commit) => Some(commit),
        }
    }
}

/// 404: there is no dataset of that name.
pub(super) fn no_dataset() -> Problem {
    missing("RepoNotFound", "this dataset")
}

/// 404: the dataset has no such revision, or has it no more.
pub(super) fn no_revision() -> Problem {
    missing("RevisionNotFound", "this revision")
}

/// 404: the revision with that commit has no such file or directory.
pub(super) fn no_entry(commit: &str) -> Problem {
    missing("EntryNotFound", "this file").header(X_REPO_COMMIT, commit)
}

fn missing(code: &'static str, what: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("{what} does not exist"))
        .header(X_ERROR_CODE, code)
}
