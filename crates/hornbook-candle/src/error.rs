//! Why a model could not be loaded.

use std::path::PathBuf;

use crate::InstructionSet;

/// Why a model file could not become an engine; every message says what would mend it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing lies at that path.
    #[error("no model file at {}; `hornbook model pull` fetches one", path.display())]
    Missing {
        /// Where the file was looked for.
        path: PathBuf,
    },
    /// The file is there and cannot be read.
    #[error("cannot read the model file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is no GGUF file at all.
    #[error(
        "not a GGUF file: {detail}; name a .gguf file, or fetch one with `hornbook model pull`"
    )]
    NotGguf {
        /// What was found instead.
        detail: String,
    },
    /// The file ends too early, as after an interrupted download.
    #[error(
        "the model file is cut off: {what} needs {needed_bytes} bytes and {left_bytes} are left; \
         fetch it again with `hornbook model pull`"
    )]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes that it needs.
        needed_bytes: u64,
        /// Bytes that the file still has.
        left_bytes: u64,
    },
    /// The file contradicts itself or the format.
    #[error(
        "the model file is damaged: {what}: {detail}; fetch it again with `hornbook model pull`"
    )]
    Malformed {
        /// What was being read.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Something is larger than this engine allows.
    #[error("{what} is {value}; at most {limit} is allowed")]
    TooLarge {
        /// What is too large, with its unit.
        what: String,
        /// How large it is.
        value: u64,
        /// The named limit.
        limit: u64,
    },
    /// A metadata entry that the engine needs is absent or of another type.
    #[error("the model file lacks the metadata entry `{key}` ({expected})")]
    Metadata {
        /// The entry's key.
        key: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// A tensor that the engine needs is absent.
    #[error("the model file lacks the tensor `{name}`")]
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor has the wrong shape or values that cannot be computed with.
    #[error("the tensor `{name}` {detail}")]
    BadTensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The file is sound, but of a kind that this engine does not run.
    #[error("this engine does not run {what}; it runs {runs}")]
    Unsupported {
        /// What the file asks for.
        what: String,
        /// What would be accepted.
        runs: &'static str,
    },
    /// The engine was configured with values that cannot work.
    #[error("the engine cannot run with {field} = {value}: {detail}")]
    Config {
        /// The field of `EngineConfig`.
        field: &'static str,
        /// Its value.
        value: usize,
        /// What is allowed.
        detail: String,
    },
    /// The machine lacks the instruction set that was asked for.
    #[error(
        "this machine lacks the instruction set {set}; without one named, the best there is is taken"
    )]
    InstructionSet {
        /// What was asked for.
        set: InstructionSet,
    },
    /// The machine would not give what the engine needs, such as a thread.
    #[error("cannot start the engine: {detail}")]
    Start {
        /// What was refused.
        detail: String,
    },
}

impl LoadError {
    pub(crate) fn malformed(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), detail: detail.into() }
    }

    /// Fails when `value` is over `limit`.
    pub(crate) fn check_limit(what: &str, value: u64, limit: u64) -> Result<(), Self> {
        if value > limit {
            return Err(Self::TooLarge { what: what.to_owned(), value, limit });
        }
        Ok(())
    }
}
