//! Why a file could not be pulled.

use std::io;
use std::path::{Path, PathBuf};

use hornbook_inference::http::HttpError;

/// Why a file could not be pulled; never holds a token.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// What was asked for cannot exist.
    #[error("{0}")]
    BadSpec(String),
    /// There is no such repository, revision or file (or it is private and no token was given).
    #[error("{file} was not found ({detail})")]
    NotFound {
        /// `repo/file` at its revision.
        file: String,
        /// What the server said.
        detail: String,
    },
    /// The repository wants a token, or another one.
    #[error("{file} is not open to this token, or to no token ({detail})")]
    NotAllowed {
        /// `repo/file` at its revision.
        file: String,
        /// What the server said.
        detail: String,
    },
    /// The server has had enough of us for now.
    #[error("the server asks for a pause ({detail})")]
    Throttled {
        /// What the server said.
        detail: String,
    },
    /// Any other answer that is no file.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
    /// The connection; what has come so far is kept and the next pull goes on from there.
    #[error("the download broke off after {done_bytes} bytes: {source}")]
    Interrupted {
        /// Bytes that are safe in the part file.
        done_bytes: u64,
        /// What broke.
        source: HttpError,
    },
    /// No answer at all.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The file on the server, or what came of it, is not the one that was meant.
    #[error("sha256 is {actual} where {expected} was expected")]
    WrongHash {
        /// What was meant.
        expected: String,
        /// What there is.
        actual: String,
    },
    /// Another process is pulling the same file.
    #[error("another pull of {0} is under way")]
    Busy(PathBuf),
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PullError {
    /// Names the path in an error of the disk.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
