//! The formats that seeds arrive in, and the one way to read them all.

use std::fs::File;
use std::io::Read;

use serde_json::{Map, Value};

use crate::csv_rows::CsvRows;
use crate::json_array::JsonArray;
use crate::ndjson::Ndjson;
use crate::parquet_rows::ParquetRows;
use crate::zst::plain;
use crate::{RecordError, RecordFault};

/// A file format that records can be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordFormat {
    /// One JSON object a line.
    Ndjson,
    /// One JSON array of objects.
    Json,
    /// Comma-separated values with a header row; every field is a string.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Records in the order of the file; nothing follows the first error.
pub type Records = Box<dyn Iterator<Item = Result<Map<String, Value>, RecordError>> + Send>;

impl RecordFormat {
    /// The format of a media type such as `application/x-ndjson; charset=utf-8`.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Some(Self::Ndjson)
            }
            "application/json" => Some(Self::Json),
            "text/csv" => Some(Self::Csv),
            "application/vnd.apache.parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format of a file name; a `.zst` or `.gz` at its end is looked through.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = [".zst", ".gz"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The media type that names the format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Reads the records of a file in any format; text formats may be compressed with zstd or gzip.
///
/// A file without records yields nothing; whether that is an error is the caller's to say.
pub fn read_records(format: RecordFormat, file: File) -> Result<Records, RecordError> {
    match format {
        RecordFormat::Parquet => Ok(Box::new(ParquetRows::open(file)?.fuse_on_error())),
        text => read_text_records(text, file),
    }
}

/// Records with the lines that they stand on, where the format has one record a line.
pub type PlacedRecords =
    Box<dyn Iterator<Item = Result<(Option<u64>, Map<String, Value>), RecordError>> + Send>;

/// The same as [`read_records`], for a caller that finds faults of its own and must name the line.
pub fn read_placed_records(format: RecordFormat, file: File) -> Result<PlacedRecords, RecordError> {
    if format != RecordFormat::Ndjson {
        return Ok(Box::new(read_records(format, file)?.map(|record| Ok((None, record?)))));
    }
    let input = plain(file).map_err(|error| RecordError {
        record: 0,
        line: None,
        fault: RecordFault::Io(error),
    })?;
    let mut lines = Ndjson::new(input);
    let placed = std::iter::from_fn(move || {
        let record = lines.next()?;
        Some(record.map(|record| (Some(lines.line()), record)))
    });
    Ok(Box::new(placed.fuse_on_error()))
}

/// Reads the records of a stream; Parquet needs a file, because its directory stands at the end.
pub fn read_text_records(
    format: RecordFormat,
    input: impl Read + Send + 'static,
) -> Result<Records, RecordError> {
    let input = plain(input).map_err(|error| RecordError {
        record: 0,
        line: None,
        fault: RecordFault::Io(error),
    })?;
    match format {
        RecordFormat::Ndjson => Ok(Box::new(Ndjson::new(input).fuse_on_error())),
        RecordFormat::Json => Ok(Box::new(JsonArray::new(input).fuse_on_error())),
        RecordFormat::Csv => Ok(Box::new(CsvRows::open(input)?.fuse_on_error())),
        RecordFormat::Parquet => Err(RecordError {
            record: 0,
            line: None,
            fault: RecordFault::Parquet("a Parquet file cannot be read as a stream".to_owned()),
        }),
    }
}

/// Ends a sequence of records after its first error.
pub(crate) struct FuseOnError<I> {
    inner: Option<I>,
}

pub(crate) trait FuseOnErrorExt: Sized {
    fn fuse_on_error(self) -> FuseOnError<Self> {
        FuseOnError { inner: Some(self) }
    }
}

impl<T, I: Iterator<Item = Result<T, RecordError>>> FuseOnErrorExt for I {}

impl<T, I: Iterator<Item = Result<T, RecordError>>> Iterator for FuseOnError<I> {
    type Item = Result<T, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.inner.as_mut()?.next();
        if !matches!(next, Some(Ok(_))) {
            self.inner = None;
        }
        next
    }
}
