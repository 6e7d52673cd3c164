//! Files of documents as others wrote them, made into files that corpora are assembled from.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use crate::corpus_jsonl::ZSTD_LEVEL;
use crate::document_rows::{Documents, read_documents_of};
use crate::format::read_records;
use crate::{DocumentRow, RecordError, RecordFault, RecordFormat, WriteError};

/// Rows of one file.
const FILE_ROWS: u64 = 65_536;
/// Bytes of text of one file, before compression.
const FILE_TEXT_BYTES: u64 = 128 * 1024 * 1024;
/// Bytes of rows gathered before they are handed to the encoder.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Rows gathered before they are handed to the encoder.
const BATCH_ROWS: usize = 4_096;
/// Bytes of text in one row group, which a reader may have to hold as a whole.
const ROW_GROUP_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of text for each byte of the file that are too many to be writing, beyond [`EXPANSION_FREE_BYTES`].
const EXPANSION: u64 = 256;
/// Bytes of text that a file may become, however small it is.
const EXPANSION_FREE_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of text that a token is taken for where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

/// Columns of text besides `id`, `source` and `text`, in their order.
const TEXTS: [&str; 10] = [
    "prompt",
    "audience",
    "format",
    "seed_data",
    "template",
    "endpoint",
    "model",
    "sampling_seed",
    "finish_reason",
    "scores",
];

/// What to read, and how what is read is called.
pub struct ImportFile<'a> {
    /// The file's format.
    pub format: RecordFormat,
    /// Column that holds the documents.
    pub text_column: &'a str,
    /// What goes into the column `source`; also the beginning of ids where a row has none.
    pub source: &'a str,
    /// Number of the file's first row within the import.
    pub first_row: u64,
    /// Number of the first file to write.
    pub first_file: u64,
    /// Rows that there may be.
    pub rows_max: u64,
    /// Bytes of text that there may be.
    pub text_bytes_max: u64,
    /// Where files are written.
    pub dir: &'a Path,
}

/// A file that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is called: `part-00000.parquet`.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Documents.
    pub rows: u64,
    /// Bytes of their texts.
    pub text_bytes: u64,
    /// Their tokens: as counted where a row says so, else estimated.
    pub tokens: u64,
    /// Files written.
    pub files: u64,
}

/// Why a file of documents was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something in it is wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It holds more than may be taken, or more than can be in so small a file.
    #[error("{0}")]
    TooMuch(String),
    /// What is made of it cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Whoever takes the files wants no more.
    #[error("stopped")]
    Stopped,
}

/// Reads a file of documents to its end and writes what is in it as Parquet files that corpora are
/// assembled from: `text`, `id`, `source`, and those of a corpus's columns that the rows have.
///
/// Each file is handed to `take` when it is complete; false ends it all. Memory is bounded however
/// many rows there are. Nothing depends on anything but the file and what was asked.
pub fn import_documents(
    import: &ImportFile<'_>,
    file: File,
    take: &mut dyn FnMut(ImportedFile) -> bool,
) -> Result<Imported, ImportError> {
    let length = file.metadata().map_err(WriteError::from)?.len();
    let expands_to = EXPANSION_FREE_BYTES.max(length.saturating_mul(EXPANSION));
    let mut done = Imported::default();
    let mut part = None;
    for row in open(import, file)? {
        let row = row?;
        let number = import.first_row + done.rows;
        let record = Record::of(row, number, import.source);
        done.rows += 1;
        done.text_bytes += record.text.len() as u64;
        done.tokens += record.tokens();
        if done.rows > import.rows_max {
            return Err(ImportError::TooMuch(format!("more than {} documents", import.rows_max)));
        }
        if done.text_bytes > import.text_bytes_max {
            let message = format!("more than {} bytes of text", import.text_bytes_max);
            return Err(ImportError::TooMuch(message));
        }
        if done.text_bytes > expands_to {
            let message = format!(
                "record {}: {length} bytes of file have become more than {expands_to} bytes of text",
                done.rows
            );
            return Err(ImportError::TooMuch(message));
        }
        let writer = match &mut part {
            Some(writer) => writer,
            none => none.insert(PartWriter::create(import, import.first_file + done.files)?),
        };
        writer.write(record)?;
        if writer.rows >= FILE_ROWS || writer.text_bytes >= FILE_TEXT_BYTES {
            finish(part.take(), &mut done, take)?;
        }
    }
    finish(part, &mut done, take)?;
    Ok(done)
}

fn finish(
    part: Option<PartWriter>,
    done: &mut Imported,
    take: &mut dyn FnMut(ImportedFile) -> bool,
) -> Result<(), ImportError> {
    let Some(part) = part else { return Ok(()) };
    done.files += 1;
    if take(part.finish()?) { Ok(()) } else { Err(ImportError::Stopped) }
}

fn open(import: &ImportFile<'_>, file: File) -> Result<Documents, RecordError> {
    match import.format {
        RecordFormat::Parquet | RecordFormat::Ndjson => {
            read_documents_of(import.format, file, import.text_column)
        }
        RecordFormat::Csv | RecordFormat::Json => {
            let column = import.text_column.to_owned();
            let is_csv = import.format == RecordFormat::Csv;
            let mut record = 0;
            Ok(Box::new(read_records(import.format, file)?.map(move |fields| {
                record += 1;
                of_fields(fields?, &column, is_csv).map_err(|fault| RecordError {
                    record,
                    line: None,
                    fault,
                })
            })))
        }
    }
}

/// A row of fields that need not be what documents have; in CSV numbers are text.
fn of_fields(
    fields: Map<String, Value>,
    text_column: &str,
    is_csv: bool,
) -> Result<DocumentRow, RecordFault> {
    let mut row = DocumentRow::from_fields(fields, text_column);
    if is_csv {
        for number in [&mut row.token_length, &mut row.score] {
            if let Some(parsed) = number.as_str().and_then(|text| text.trim().parse().ok()) {
                *number = Value::Number(parsed);
            }
        }
    }
    if row.text.is_string() {
        return Ok(row);
    }
    Err(RecordFault::Json(format!("there is no text in '{text_column}'")))
}

/// A document as it is written.
struct Record {
    text: String,
    id: String,
    texts: [Option<String>; TEXTS.len()],
    token_length: Option<i64>,
    score: Option<f64>,
}

impl Record {
    fn of(row: DocumentRow, number: u64, source: &str) -> Self {
        let id = text_of(row.id).filter(|id| !id.is_empty());
        Self {
            text: text_of(row.text).unwrap_or_default(),
            id: id.unwrap_or_else(|| format!("{source}#{number}")),
            texts: [
                row.prompt,
                row.audience,
                row.format,
                row.seed_data,
                row.template,
                row.endpoint,
                row.model,
                row.sampling_seed,
                row.finish_reason,
                row.scores,
            ]
            .map(text_of),
            token_length: row.token_length.as_u64().and_then(|tokens| i64::try_from(tokens).ok()),
            score: row.score.as_f64().filter(|score| score.is_finite()),
        }
    }

    fn tokens(&self) -> u64 {
        let estimate = (self.text.len() as u64).div_ceil(BYTES_PER_TOKEN);
        self.token_length.map_or(estimate, |tokens| u64::try_from(tokens).unwrap_or(0))
    }

    fn bytes(&self) -> usize {
        let texts: usize = self.texts.iter().flatten().map(String::len).sum();
        self.text.len() + self.id.len() + texts
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// One file on its way.
struct PartWriter {
    writer: ArrowWriter<BufWriter<File>>,
    schema: SchemaRef,
    path: PathBuf,
    name: String,
    source: String,
    batch: Vec<Record>,
    batch_bytes: usize,
    group_bytes: usize,
    rows: u64,
    text_bytes: u64,
}

impl PartWriter {
    fn create(import: &ImportFile<'_>, number: u64) -> Result<Self, WriteError> {
        let name = format!("part-{number:05}.parquet");
        let path = import.dir.join(&name);
        let out = BufWriter::new(File::create(&path)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_created_by("hornbook".to_owned())
            .set_column_dictionary_enabled("text".into(), false)
            .set_column_dictionary_enabled("id".into(), false)
            .set_max_row_group_row_count(None)
            .build();
        let schema = schema();
        Ok(Self {
            writer: ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?,
            schema,
            path,
            name,
            source: import.source.to_owned(),
            batch: Vec::new(),
            batch_bytes: 0,
            group_bytes: 0,
            rows: 0,
            text_bytes: 0,
        })
    }

    fn write(&mut self, record: Record) -> Result<(), WriteError> {
        self.rows += 1;
        self.text_bytes += record.text.len() as u64;
        self.batch_bytes += record.bytes();
        self.batch.push(record);
        if self.batch.len() >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), WriteError> {
        let rows = std::mem::take(&mut self.batch);
        if rows.is_empty() {
            return Ok(());
        }
        let source = self.source.as_str();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.text.as_str()))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.id.as_str()))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|_| source))),
        ];
        for index in 0..TEXTS.len() {
            let texts = rows.iter().map(|row| row.texts[index].as_deref());
            columns.push(Arc::new(StringArray::from_iter(texts)));
        }
        columns.push(Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.token_length))));
        columns.push(Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.score))));
        self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        self.group_bytes += std::mem::take(&mut self.batch_bytes);
        if self.group_bytes >= ROW_GROUP_BYTES {
            self.writer.flush()?;
            self.group_bytes = 0;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<ImportedFile, WriteError> {
        self.write_batch()?;
        let out = self.writer.into_inner()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(ImportedFile { path: self.path, name: self.name, rows: self.rows })
    }
}

fn schema() -> SchemaRef {
    let mut fields = vec![
        Field::new("text", DataType::Utf8, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
    ];
    fields.extend(TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, true)));
    fields.push(Field::new("token_length", DataType::Int64, true));
    fields.push(Field::new("score", DataType::Float64, true));
    Arc::new(Schema::new(fields))
}
