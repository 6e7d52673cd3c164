//! Why a mixed corpus was not published, with a name for programs.

use std::io::ErrorKind;

use hornbook_corpus::AssembleError;
use hornbook_db::DbError;

use crate::assemble::Fault;

/// Why a mixed corpus was not published; the words are for its owner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MixedFault {
    /// This worker is stopping, or the lease was lost: somebody else will do it.
    #[error("stopped")]
    Stopped,
    /// The corpus was deleted meanwhile.
    #[error("the corpus is gone")]
    Gone,
    /// A source is not there any more.
    #[error("source {name}: {what} does not exist any more")]
    SourceMissing {
        /// What the corpus calls it.
        name: String,
        /// What it was.
        what: String,
    },
    /// A source has nothing to give.
    #[error("source {name}: {what} has no document that a corpus could take")]
    SourceEmpty {
        /// What the corpus calls it.
        name: String,
        /// What it is.
        what: String,
    },
    /// Anything that can keep a job's corpus from being published too.
    #[error(transparent)]
    Other(Fault),
}

impl MixedFault {
    /// The stable word of the fault.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Gone => "gone",
            Self::SourceMissing { .. } => "source_missing",
            Self::SourceEmpty { .. } => "source_empty",
            Self::Other(Fault::Store(_)) => "store_unwritable",
            Self::Other(Fault::Files(error)) => match error {
                AssembleError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                    "disk_full"
                }
                AssembleError::Source { .. } => "source_unreadable",
                AssembleError::Request(_) => "cannot_be_assembled",
                _ => "assembly_failed",
            },
            Self::Other(_) => "assembly_failed",
        }
    }
}

impl From<Fault> for MixedFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Stopped => Self::Stopped,
            other => Self::Other(other),
        }
    }
}

impl From<AssembleError> for MixedFault {
    fn from(error: AssembleError) -> Self {
        Fault::from(error).into()
    }
}

impl From<DbError> for MixedFault {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound("corpus") => Self::Gone,
            other => Fault::from(other).into(),
        }
    }
}
