//! Why an import was not finished.

use hornbook_db::DbError;
use hornbook_records::ImportError;

use crate::assemble;

/// Why an import was not finished; the words are for whoever asked for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// This worker is stopping, the lease was lost, or the import was deleted.
    #[error("stopped")]
    Stopped,
    /// It cannot be had, or something in it is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The database refuses.
    #[error("{0}")]
    Database(DbError),
}

impl Fault {
    /// Something about a file of documents, by the name that it is known by.
    pub(super) fn file(label: &str, error: impl std::fmt::Display) -> Self {
        Self::Wrong(format!("{label}: {error}"))
    }

    /// What was wrong with the documents of a file.
    pub(super) fn documents(label: &str, error: ImportError) -> Self {
        match error {
            ImportError::Stopped => Self::Stopped,
            other => Self::file(label, other),
        }
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Fenced => Self::Stopped,
            // Only a stop ends the waiting for a database.
            error if error.is_retryable() => Self::Stopped,
            other => Self::Database(other),
        }
    }
}

impl From<assemble::Fault> for Fault {
    fn from(fault: assemble::Fault) -> Self {
        match fault {
            assemble::Fault::Stopped | assemble::Fault::Gone => Self::Stopped,
            other => Self::Wrong(other.to_string()),
        }
    }
}
