//! Documents of somebody's file: rows with at least a `text`.

use std::fs::File;
use std::io::BufRead;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, FieldRef, Schema};
use hornbook_types::limits::ANSWER_BYTES;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use serde::Deserialize;
use serde_json::{Map, Value};

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

/// Every column that is known.
const COLUMNS: [&str; 14] = [
    "text",
    "id",
    "prompt",
    "token_length",
    "audience",
    "format",
    "seed_data",
    "template",
    "endpoint",
    "model",
    "sampling_seed",
    "finish_reason",
    "scores",
    "score",
];

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

/// The column that holds documents unless somebody names another one.
pub const TEXT_COLUMN: &str = "text";

/// Reads the documents of a Parquet file, or of JSON lines that may be compressed with zstd or gzip.
///
/// A row without a text, or with one above [`DOCUMENT_BYTES`], is an error that names it, and so is a
/// file without a column `text`.
pub fn read_documents(format: RecordFormat, file: File) -> Result<Documents, RecordError> {
    read(format, file, Wanted { text_column: TEXT_COLUMN.to_owned(), refuses_nul: false })
}

/// The same where the documents stand in the column `text_column`, and where U+0000 anywhere in a row
/// is an error; a column `text` beside that one is left out.
pub(crate) fn read_documents_of(
    format: RecordFormat,
    file: File,
    text_column: &str,
) -> Result<Documents, RecordError> {
    read(format, file, Wanted { text_column: text_column.to_owned(), refuses_nul: true })
}

fn read(format: RecordFormat, file: File, wanted: Wanted) -> Result<Documents, RecordError> {
    match format {
        RecordFormat::Parquet => {
            Ok(Box::new(ParquetDocuments::open(file, wanted)?.fuse_on_error()))
        }
        RecordFormat::Ndjson => {
            let input = plain(file).map_err(|error| fault(0, None, RecordFault::Io(error)))?;
            Ok(Box::new(LineDocuments::new(input, wanted).fuse_on_error()))
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

/// What is taken for a document.
struct Wanted {
    /// Column that holds the documents.
    text_column: String,
    /// True when no field may hold U+0000.
    refuses_nul: bool,
}

impl Wanted {
    fn check(&self, row: &mut DocumentRow) -> Result<(), RecordFault> {
        check(row).map_err(|fault| match fault {
            RecordFault::Json(said) => {
                RecordFault::Json(said.replace("'text'", &format!("'{}'", self.text_column)))
            }
            other => other,
        })?;
        if self.refuses_nul {
            for name in COLUMNS {
                let text = row.column(name).and_then(|value| value.as_str());
                if text.is_some_and(|text| text.contains('\0')) {
                    let name = if name == TEXT_COLUMN { &self.text_column } else { name };
                    return Err(RecordFault::Nul(format!("'{name}'")));
                }
            }
        }
        Ok(())
    }
}

/// One JSON object a line.
struct LineDocuments<R> {
    input: R,
    wanted: Wanted,
    buffer: Vec<u8>,
    line: u64,
    record: u64,
}

impl<R: BufRead> LineDocuments<R> {
    fn new(input: R, wanted: Wanted) -> Self {
        Self { input, wanted, buffer: Vec::new(), line: 0, record: 0 }
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
            let mut row = if self.wanted.text_column == TEXT_COLUMN {
                serde_json::from_slice(line).map_err(|error| json_fault(&error))?
            } else {
                let fields = serde_json::from_slice(line).map_err(|error| json_fault(&error))?;
                DocumentRow::from_fields(fields, &self.wanted.text_column)
            };
            self.wanted.check(&mut row)?;
            return Ok(Some(row));
        }
    }
}

fn json_fault(error: &serde_json::Error) -> RecordFault {
    let (full, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    let message = full.strip_suffix(&place).unwrap_or(&full);
    RecordFault::Json(format!("{message} at column {column}"))
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
    wanted: Wanted,
    batch: Option<RecordBatch>,
    row: usize,
    record: u64,
}

impl ParquetDocuments {
    fn open(file: File, wanted: Wanted) -> Result<Self, RecordError> {
        let builder = open_as_views(file).map_err(|error| parquet_fault(0, error))?;
        let known = known_columns(builder.schema(), &wanted.text_column)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), known.iter().copied());
        let rows = batch_rows(&builder, &known);
        let batches = builder
            .with_projection(mask)
            .with_batch_size(rows)
            .build()
            .map_err(|error| parquet_fault(0, error))?;
        Ok(Self { batches, wanted, batch: None, row: 0, record: 0 })
    }

    fn take_row(&self, batch: &RecordBatch) -> Result<DocumentRow, RecordError> {
        let mut row = DocumentRow::default();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if column.is_null(self.row) {
                continue;
            }
            let Some(place) = row.column_of(field.name(), &self.wanted.text_column) else {
                continue;
            };
            *place = value_at(column, self.row).map_err(|message| {
                parquet_fault(self.record, format!("{}: {message}", field.name()))
            })?;
        }
        self.wanted.check(&mut row).map_err(|why| fault(self.record, None, why))?;
        Ok(row)
    }
}

/// Opens a file so that a value which stands in a dictionary once is held once, however many rows name it:
/// else a few kilobytes of file are gigabytes of rows.
fn open_as_views(file: File) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetError> {
    let options = ArrowReaderOptions::new();
    let metadata = ArrowReaderMetadata::load(&file, options.clone())?;
    let as_view = |field: &FieldRef| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = metadata.schema().fields().iter().map(as_view).collect();
    let schema = Schema::new_with_metadata(fields, metadata.schema().metadata().clone());
    ParquetRecordBatchReaderBuilder::try_new_with_options(
        file,
        options.with_schema(Arc::new(schema)),
    )
}

/// Places of the columns to read; the text must be among them, and be text.
fn known_columns(schema: &Schema, text_column: &str) -> Result<Vec<usize>, RecordError> {
    let mut probe = DocumentRow::default();
    let mut known = Vec::new();
    let mut has_text = false;
    for (index, field) in schema.fields().iter().enumerate() {
        if probe.column_of(field.name(), text_column).is_none() {
            continue;
        }
        let kind = field.data_type();
        if field.name() == text_column {
            if has_text {
                return Err(parquet_fault(0, format!("two columns are named '{text_column}'")));
            }
            if !is_text(kind) {
                let message = format!("column '{text_column}' is {kind} and not text");
                return Err(parquet_fault(0, message));
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
    Err(parquet_fault(0, format!("there is no column '{text_column}', only {}", names.join(", "))))
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
    /// A row of these fields, whose document stands in `text_column`.
    pub(crate) fn from_fields(fields: Map<String, Value>, text_column: &str) -> Self {
        let mut row = Self::default();
        for (name, value) in fields {
            if let Some(place) = row.column_of(&name, text_column) {
                *place = value;
            }
        }
        row
    }

    /// The place of a column of that name in a file whose documents stand in `text_column`.
    fn column_of(&mut self, name: &str, text_column: &str) -> Option<&mut Value> {
        if name == text_column {
            return Some(&mut self.text);
        }
        if name == TEXT_COLUMN { None } else { self.column(name) }
    }

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
