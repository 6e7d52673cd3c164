//! Why a corpus could not be assembled.

use std::io;
use std::path::{Path, PathBuf};

use hornbook_records::WriteError;

/// Why a corpus could not be assembled, and with which file.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A file cannot be read or written: the disk is full, or the directory is not ours.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A segment does not hold what its sidecar says; exporting it again mends that.
    #[error("segment {path} is damaged: {message}")]
    Segment {
        /// The segment's file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A stored signature was made under another scheme; signing the text again mends that.
    #[error("document {index} has a signature of another scheme")]
    Signature {
        /// The document's number in the assembly.
        index: u32,
    },
    /// A source of documents that cannot be read, with the place where that is.
    #[error("{path}: {message}")]
    Source {
        /// The source's file or directory.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A tokenizer that cannot be used.
    #[error("tokenizer {path}: {message}")]
    Tokenizer {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Something that cannot be asked for; nothing was done.
    #[error("{0}")]
    Request(String),
    /// A row that the columns cannot hold.
    #[error("a row cannot be written: {0}")]
    Row(String),
    /// The caller asked to stop.
    #[error("assembly was stopped")]
    Stopped,
}

impl AssembleError {
    /// Names the file that an I/O error is about.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Names the file that was being written.
    pub(crate) fn write(path: &Path) -> impl FnOnce(WriteError) -> Self + '_ {
        move |error| match error {
            WriteError::Io(source) => Self::Io { path: path.to_owned(), source },
            other => Self::Row(other.to_string()),
        }
    }
}
