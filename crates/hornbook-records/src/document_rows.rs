//! Documents of somebody's file: rows with at least a `text`.

use std::fs::File;
use std::io::BufRead;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use hornbook_types::limits::ANSWER_BYTES;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::columns::{is_supported, value_at};
use crate::format::FuseOnErrorExt;
use crate::ndjson::read_until_newline;
use crate::zst::plain;
use crate::{RecordError, RecordFault, RecordFormat};

/// Largest text of one document, in bytes.
pub const DOCUMENT_BYTES: usize = ANSWER_BYTES;
/// Longest line of JSON: the longest text with every byte escaped, and its prompt.
const LINE_BYTES: usize = 8 * DOCUMENT_BYTES;
/// Bytes of decoded rows aimed at: rows are decoded a batch at a time.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Rows decoded at a time, at most.
const BATCH_ROWS: usize = 1_024;
/// UTF-8's byte order mark, which some editors put first.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One document of a file; columns that are not known here are left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DocumentRow {
    /// The document, the one column that must be there.
    pub text: Value,
    /// What the file calls it.
    pub id: Value,
    /// The prompt that it answers.
    pub prompt: Value,
    /// Its length in tokens.
    pub token_length: Value,
    /// Whom it is for.
    pub audience: Value,
    /// Kind of text.
    pub format: Value,
    /// The seed record, as JSON text or as an object.
    pub seed_data: Value,
    /// Prompt template.
    pub template: Value,
    /// Endpoint that wrote it.
    pub endpoint: Value,
    /// Model that wrote it.
    pub model: Value,
    /// Seed that its prompt drew with.
    pub sampling_seed: Value,
    /// Why generation stopped.
    pub finish_reason: Value,
    /// What was measured of it, as JSON text or as an object.
    pub scores: Value,
    /// How good it is; among duplicates the highest stays.
    pub score: Value,
}

/// Documents in the order of the file; nothing follows the first error.
pub type Documents = Box<dyn Iterator<Item = Result<DocumentRow, RecordError>> + Send>;

/// Reads the documents of a Parquet file, or of JSON lines that may be compressed with zstd.
///
/// A row without a text, or with one above [`DOCUMENT_BYTES`], is an error that names it, and so is a
/// file without a column `text`.
pub fn read_documents(format: RecordFormat, file: File) -> Result<Documents, RecordError> {
    match format {
        RecordFormat::Parquet => Ok(Box::new(ParquetDocuments::open(file)?.fuse_on_error())),
        RecordFormat::Ndjson => {
            let input = plain(file).map_err(|error| fault(0, None, RecordFault::Io(error)))?;
            Ok(Box::new(LineDocuments::new(input).fuse_on_error()))
        }
        other => Err(parquet_fault(
            0,
            format!(
                "documents are read from Parquet or JSON lines, not from {}",
                other.media_type()
            ),
        )),
    }
}

fn fault(record: u64, line: Option<u64>, fault: RecordFault) -> RecordError {
    RecordError { record, line, fault }
}

fn parquet_fault(record: u64, message: impl ToString) -> RecordError {
    fault(record, None, RecordFault::Parquet(message.to_string()))
}

/// What every row must have, whatever it was read from.
fn check(row: &DocumentRow) -> Result<(), RecordFault> {
    match &row.text {
        Value::String(text) if text.len() > DOCUMENT_BYTES => {
            Err(RecordFault::Json(format!("'text' is larger than {DOCUMENT_BYTES} bytes")))
        }
        Value::String(_) => Ok(()),
        Value::Null => Err(RecordFault::Json("there is no 'text'".to_owned())),
        _ => Err(RecordFault::Json("'text' is not a string".to_owned())),
    }
}

/// One JSON object a line.
struct LineDocuments<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    record: u64,
}

impl<R: BufRead> LineDocuments<R> {
    fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), line: 0, record: 0 }
    }

    fn next_row(&mut self) -> Result<Option<DocumentRow>, RecordFault> {
        loop {
            self.buffer.clear();
            self.line += 1;
            if !read_until_newline(&mut self.input, &mut self.buffer, LINE_BYTES)? {
                return Err(RecordFault::Json(format!(
                    "the line is longer than {LINE_BYTES} bytes"
                )));
            }
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let line = self.buffer.strip_prefix(BOM).filter(|_| self.line == 1);
            let line = line.unwrap_or(&self.buffer);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.record += 1;
            // A list would pass for the fields in their order.
            if line.trim_ascii_start().first() != Some(&b'{') {
                return Err(RecordFault::Json("the line is not a JSON object".to_owned()));
            }
            let row: DocumentRow = serde_json::from_slice(line).map_err(|error| {
                let (full, column) = (error.to_string(), error.column());
                let place = format!(" at line {} column {column}", error.line());
                let message = full.strip_suffix(&place).unwrap_or(&full);
                RecordFault::Json(format!("{message} at column {column}"))
            })?;
            check(&row)?;
            return Ok(Some(row));
        }
    }
}

impl<R: BufRead> Iterator for LineDocuments<R> {
    type Item = Result<DocumentRow, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row();
        row.map_err(|why| fault(self.record, Some(self.line), why)).transpose()
    }
}

/// The known columns of a Parquet file.
struct ParquetDocuments {
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    row: usize,
    record: u64,
}

impl ParquetDocuments {
    fn open(file: File) -> Result<Self, RecordError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|error| parquet_fault(0, error))?;
        let known = known_columns(builder.schema())?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), known.iter().copied());
        let rows = batch_rows(&builder, &known);
        let batches = builder
            .with_projection(mask)
            .with_batch_size(rows)
            .build()
            .map_err(|error| parquet_fault(0, error))?;
        Ok(Self { batches, batch: None, row: 0, record: 0 })
    }

    fn take_row(&self, batch: &RecordBatch) -> Result<DocumentRow, RecordError> {
        let mut row = DocumentRow::default();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if column.is_null(self.row) {
                continue;
            }
            let Some(place) = row.column(field.name()) else { continue };
            *place = value_at(column, self.row).map_err(|message| {
                parquet_fault(self.record, format!("{}: {message}", field.name()))
            })?;
        }
        check(&row).map_err(|why| fault(self.record, None, why))?;
        Ok(row)
    }
}

/// Places of the columns to read; the text must be among them, and be text.
fn known_columns(schema: &Schema) -> Result<Vec<usize>, RecordError> {
    let mut probe = DocumentRow::default();
    let mut known = Vec::new();
    let mut has_text = false;
    for (index, field) in schema.fields().iter().enumerate() {
        if probe.column(field.name()).is_none() {
            continue;
        }
        let kind = field.data_type();
        if field.name() == "text" {
            if has_text {
                return Err(parquet_fault(0, "two columns are named 'text'"));
            }
            if !is_text(kind) {
                return Err(parquet_fault(0, format!("column 'text' is {kind} and not text")));
            }
            has_text = true;
        }
        if is_supported(kind) {
            known.push(index);
        }
    }
    if has_text {
        return Ok(known);
    }
    let names: Vec<&str> = schema.fields().iter().take(20).map(|it| it.name().as_str()).collect();
    Err(parquet_fault(0, format!("there is no column 'text', only {}", names.join(", "))))
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// Rows to decode at a time, so that a batch of ordinary rows of this file has [`BATCH_BYTES`].
fn batch_rows(builder: &ParquetRecordBatchReaderBuilder<File>, known: &[usize]) -> usize {
    let mut largest = 1;
    for group in builder.metadata().row_groups() {
        let rows = usize::try_from(group.num_rows()).unwrap_or(0).max(1);
        let columns = group.columns().iter().enumerate().filter(|(leaf, _)| {
            known.contains(&builder.parquet_schema().get_column_root_idx(*leaf))
        });
        let bytes: i64 = columns.map(|(_, column)| column.uncompressed_size()).sum();
        largest = largest.max(usize::try_from(bytes).unwrap_or(0) / rows);
    }
    (BATCH_BYTES / largest.max(1)).clamp(1, BATCH_ROWS)
}

impl Iterator for ParquetDocuments {
    type Item = Result<DocumentRow, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.batch.take_if(|batch| self.row < batch.num_rows()) {
                self.record += 1;
                let row = self.take_row(&batch);
                self.row += 1;
                self.batch = Some(batch);
                return Some(row);
            }
            self.row = 0;
            match self.batches.next()? {
                Ok(batch) => self.batch = Some(batch),
                Err(error) => return Some(Err(parquet_fault(self.record + 1, error))),
            }
        }
    }
}

impl DocumentRow {
    /// The place of a column of that name.
    fn column(&mut self, name: &str) -> Option<&mut Value> {
        Some(match name {
            "text" => &mut self.text,
            "id" => &mut self.id,
            "prompt" => &mut self.prompt,
            "token_length" => &mut self.token_length,
            "audience" => &mut self.audience,
            "format" => &mut self.format,
            "seed_data" => &mut self.seed_data,
            "template" => &mut self.template,
            "endpoint" => &mut self.endpoint,
            "model" => &mut self.model,
            "sampling_seed" => &mut self.sampling_seed,
            "finish_reason" => &mut self.finish_reason,
            "scores" => &mut self.scores,
            "score" => &mut self.score,
            _ => return None,
        })
    }
}
