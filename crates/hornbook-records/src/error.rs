//! What can be wrong with a file of records, and where.

use std::fmt;
use std::io;

use hornbook_types::limits::{SEED_BYTES, SEED_FIELDS};

/// A record that cannot be taken, with its place in the file.
#[derive(Debug)]
pub struct RecordError {
    /// Number of the record, from 1; 0 when the file fails before its first record.
    pub record: u64,
    /// Line on which the fault lies, from 1; absent for formats without lines.
    pub line: Option<u64>,
    /// What is wrong.
    pub fault: RecordFault,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordFault {
    /// Not JSON, or not a JSON object.
    #[error("{0}")]
    Json(String),
    /// Not well-formed CSV.
    #[error("{0}")]
    Csv(String),
    /// Not well-formed Parquet, or a column type that has no JSON counterpart.
    #[error("{0}")]
    Parquet(String),
    /// More bytes than `limits::SEED_BYTES`.
    #[error("the record is larger than {SEED_BYTES} bytes")]
    TooLarge,
    /// More fields than `limits::SEED_FIELDS`.
    #[error("the record has more than {SEED_FIELDS} fields")]
    TooManyFields,
    /// U+0000 in a string or a name, which Postgres cannot store.
    #[error("U+0000 in {0}")]
    Nul(String),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl fmt::Display for RecordError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.record) {
            (Some(line), _) => write!(out, "line {line}: {}", self.fault),
            (None, 0) => write!(out, "{}", self.fault),
            (None, record) => write!(out, "record {record}: {}", self.fault),
        }
    }
}

impl std::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            RecordFault::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a file of rows cannot be written or read back.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk or whatever stands for it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Parquet itself; an I/O error inside comes out as `Io`.
    #[error("parquet: {0}")]
    Parquet(String),
    /// A row that is not what the schema declares.
    #[error("row {row}: {message}")]
    Row {
        /// Number of the row, from 1.
        row: u64,
        /// What is wrong.
        message: String,
    },
}

impl From<parquet::errors::ParquetError> for WriteError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(io) => Self::Io(*io),
                Err(other) => Self::Parquet(other.to_string()),
            },
            other => Self::Parquet(other.to_string()),
        }
    }
}

impl From<arrow_schema::ArrowError> for WriteError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Parquet(error.to_string())
    }
}
