//! Why a corpus could not be pushed.

use std::io;
use std::path::{Path, PathBuf};

use hornbook_inference::http::HttpError;

/// Why a corpus could not be pushed; never holds a token or the address of an upload.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// What was asked for cannot be done.
    #[error("{0}")]
    BadSpec(String),
    /// The directory holds no corpus, or not the one that its manifest describes.
    #[error("{0}")]
    BadCorpus(String),
    /// The token is missing, wrong, or may not write there.
    #[error("the hub does not allow it ({detail})")]
    NotAllowed {
        /// What the server said.
        detail: String,
    },
    /// There is no such repository or branch.
    #[error("not found ({detail})")]
    NotFound {
        /// What the server said.
        detail: String,
    },
    /// The server has had enough of us for now.
    #[error("the hub asks for a pause ({detail})")]
    Throttled {
        /// What the server said.
        detail: String,
    },
    /// Somebody else changed the repository meanwhile; nothing was committed.
    #[error("the repository changed meanwhile; push again ({detail})")]
    Changed {
        /// What the server said.
        detail: String,
    },
    /// The repository's own rules leave this file out.
    #[error("the repository's .gitignore leaves out {0}")]
    Ignored(String),
    /// Any other refusal.
    #[error("{doing}: unexpected answer: {detail}")]
    Unexpected {
        /// What was asked for.
        doing: String,
        /// What the server said.
        detail: String,
    },
    /// No answer at all; what was uploaded before is not sent again by the next push.
    #[error("{doing}: {source}")]
    Http {
        /// What was asked for.
        doing: String,
        /// What broke.
        source: HttpError,
    },
    /// The corpus could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PushError {
    /// Names the path in an error of the disk.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// An answer that makes no sense.
    pub(crate) fn unexpected(doing: &str, detail: impl Into<String>) -> Self {
        Self::Unexpected { doing: doing.to_owned(), detail: detail.into() }
    }
}
