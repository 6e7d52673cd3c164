//! Records in and out of files: NDJSON, JSON, CSV, Parquet and zstd.
//!
//! Everything here is synchronous and streams: no reader holds more than one record
//! (or one Parquet batch), and a bad record is named by its number and line.

mod below;
mod check;
mod columns;
mod corpus_jsonl;
mod corpus_parquet;
mod csv_rows;
mod document_rows;
mod error;
mod format;
mod import_files;
mod json_array;
mod ndjson;
mod object;
mod parquet_rows;
pub mod schema;
mod zst;

pub use below::{BelowError, FileBelow, files_below};
pub use corpus_jsonl::{JsonlZstReader, JsonlZstWriter};
pub use corpus_parquet::{CorpusParquetReader, CorpusParquetWriter};
pub use document_rows::{DOCUMENT_BYTES, DocumentRow, Documents, TEXT_COLUMN, read_documents};
pub use error::{RecordError, RecordFault, WriteError};
pub use format::{
    PlacedRecords, RecordFormat, Records, read_placed_records, read_records, read_text_records,
};
pub use import_files::{ImportError, ImportFile, Imported, ImportedFile, import_documents};
