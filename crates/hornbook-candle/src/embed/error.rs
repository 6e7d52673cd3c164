//! Why an embedding model could not be loaded, or a text has no vector.

use std::path::PathBuf;

use hornbook_inference::{CompletionError, ErrorClass};

use crate::schedule::cancelled;

/// Why a directory could not become an embedding model.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingLoadError {
    /// A file of the model is not there.
    #[error("no {file} in {}; an embedding model is a directory with config.json, tokenizer.json and model.safetensors", directory.display())]
    Missing {
        /// The file's name.
        file: &'static str,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// The file's name.
        file: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file contradicts itself or its format.
    #[error("{file} is damaged: {detail}")]
    Malformed {
        /// The file's name.
        file: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Something is larger than is allowed here.
    #[error("{what} is {value}; at most {limit} is allowed")]
    TooLarge {
        /// What is too large, with its unit.
        what: String,
        /// How large it is.
        value: u64,
        /// The named limit.
        limit: u64,
    },
    /// The files are sound, but of a kind that is not computed here.
    #[error(
        "embedding models with {what} are not run; plain BERT encoders with WordPiece, mean or first-token pooling are"
    )]
    Unsupported {
        /// What the model has.
        what: String,
    },
    /// A tensor is absent or cannot be computed with.
    #[error("the tensor `{name}` {detail}")]
    BadTensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The machine would not give what the model needs, such as a thread.
    #[error("cannot start the embedding model: {detail}")]
    Start {
        /// What was refused.
        detail: String,
    },
}

impl EmbeddingLoadError {
    pub(super) fn malformed(file: &'static str, detail: impl Into<String>) -> Self {
        Self::Malformed { file, detail: detail.into() }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }

    /// Fails when `value` is over `limit`.
    pub(super) fn check_limit(what: &str, value: u64, limit: u64) -> Result<(), Self> {
        if value > limit {
            return Err(Self::TooLarge { what: what.to_owned(), value, limit });
        }
        Ok(())
    }
}

/// Why a text has no vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// The text has more tokens than the model takes.
    #[error("the text has {tokens} tokens; the model takes at most {tokens_max}")]
    TooManyTokens {
        /// Tokens that it has, the model's marks included.
        tokens: usize,
        /// Most that the model takes.
        tokens_max: usize,
    },
    /// The text is too long to be cut into tokens.
    #[error("the text has {bytes} bytes; at most {bytes_max} are taken")]
    TooManyBytes {
        /// Bytes that it has.
        bytes: usize,
        /// Most that are taken.
        bytes_max: usize,
    },
    /// The vectors were given up before they were computed.
    #[error("the request was cancelled")]
    Cancelled,
    /// The model computes no finite vector for this text.
    #[error("the model computes no finite vector for this text")]
    NotFinite,
    /// The computation failed.
    #[error("the text could not be embedded: {detail}")]
    Failed {
        /// What went wrong.
        detail: String,
    },
}

impl From<EmbedError> for CompletionError {
    fn from(error: EmbedError) -> Self {
        let (class, code) = match &error {
            EmbedError::TooManyTokens { .. } | EmbedError::TooManyBytes { .. } => {
                (ErrorClass::TooLong, "context_length")
            }
            EmbedError::Cancelled => return cancelled(),
            EmbedError::NotFinite => (ErrorClass::Permanent, "no_vector"),
            EmbedError::Failed { .. } => (ErrorClass::Endpoint, "embedding_failed"),
        };
        Self::new(class, code, error.to_string())
    }
}
