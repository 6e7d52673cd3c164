//! Why an assembly did not end with a published corpus.

use std::path::Path;

use hornbook_corpus::AssembleError;
use hornbook_db::DbError;

/// Why an assembly did not end with a published corpus; the words are for the job's owner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// This worker is stopping, or the lease was lost: somebody else will do it.
    #[error("stopped")]
    Stopped,
    /// What it is made of was deleted meanwhile.
    #[error("the job is gone")]
    Gone,
    /// A file in scratch cannot be read or written.
    #[error("the corpus cannot be written: {0}")]
    Files(AssembleError),
    /// A benchmark cannot be kept out, because it is not what it was when the job was submitted.
    #[error("the benchmark {name} cannot be used: {what}")]
    Benchmark {
        /// `name@version`.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The corpus store refuses.
    #[error("the corpus store cannot be written: {0}")]
    Store(#[from] object_store::Error),
    /// The database refuses; one that cannot be reached is waited for instead.
    #[error("{0}")]
    Database(DbError),
    /// A fault of this program.
    #[error("the assembler panicked: {0}")]
    Panicked(String),
}

impl Fault {
    /// A file that cannot be used.
    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Self {
        let source = std::io::Error::new(error.kind(), error.to_string());
        Self::Files(AssembleError::Io { path: path.to_owned(), source })
    }
}

impl From<AssembleError> for Fault {
    fn from(error: AssembleError) -> Self {
        match error {
            AssembleError::Stopped => Self::Stopped,
            other => Self::Files(other),
        }
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Fenced => Self::Stopped,
            DbError::NotFound("job" | "import") => Self::Gone,
            // Only a stop ends the waiting for a database.
            error if error.is_retryable() => Self::Stopped,
            other => Self::Database(other),
        }
    }
}
