//! Rows of a corpus as Parquet, and back.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use hornbook_types::CorpusRow;
use hornbook_types::limits::ROW_GROUP_BYTES;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::WriteError;
use crate::schema::{COLUMNS, arrow_schema};

/// Bytes gathered before they are handed to the encoder as one Arrow batch.
const BATCH_BYTES: usize = 1024 * 1024;
/// Rows gathered before they are handed to the encoder, however small they are.
const BATCH_ROWS: usize = 4_096;
/// Rows decoded at a time.
const READ_BATCH_ROWS: usize = 256;
/// Rows per data page: small enough that a reader of a few rows decodes little.
const PAGE_ROWS: usize = 1_024;

/// Writes a Parquet file whose bytes depend on nothing but its rows.
pub struct CorpusParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    rows: Vec<CorpusRow>,
    batch_bytes: usize,
    group_bytes: usize,
    row_group_bytes: usize,
}

fn properties() -> Result<WriterProperties, WriteError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(crate::corpus_jsonl::ZSTD_LEVEL)?))
        .set_created_by("hornbook".to_owned())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(None);
    for column in &COLUMNS {
        let path = ColumnPath::from(column.name);
        properties = properties.set_column_dictionary_enabled(path, column.repeats);
    }
    Ok(properties.build())
}

impl<W: Write + Send> CorpusParquetWriter<W> {
    /// Begins a file.
    pub fn new(out: W) -> Result<Self, WriteError> {
        Self::with_row_group_bytes(out, ROW_GROUP_BYTES)
    }

    /// Begins a file whose row groups hold about that many uncompressed bytes.
    pub fn with_row_group_bytes(out: W, row_group_bytes: usize) -> Result<Self, WriteError> {
        let writer = ArrowWriter::try_new(out, arrow_schema(), Some(properties()?))?;
        Ok(Self { writer, rows: Vec::new(), batch_bytes: 0, group_bytes: 0, row_group_bytes })
    }

    /// Appends one row.
    pub fn write(&mut self, row: CorpusRow) -> Result<(), WriteError> {
        self.batch_bytes += row_bytes(&row);
        self.rows.push(row);
        if self.rows.len() >= BATCH_ROWS
            || self.batch_bytes >= BATCH_BYTES.min(self.row_group_bytes)
        {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Writes what is left and the footer; gives the output back.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.write_batch()?;
        Ok(self.writer.into_inner()?)
    }

    fn write_batch(&mut self) -> Result<(), WriteError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.writer.write(&batch_of(&self.rows)?)?;
        self.rows.clear();
        self.group_bytes += std::mem::take(&mut self.batch_bytes);
        if self.group_bytes >= self.row_group_bytes {
            self.writer.flush()?;
            self.group_bytes = 0;
        }
        Ok(())
    }
}

fn row_bytes(row: &CorpusRow) -> usize {
    let fixed = 2 * size_of::<i64>();
    let texts: usize = texts_of(row).iter().map(|text| text.len()).sum();
    fixed + texts
}

/// The text columns of a row, in the order of the schema.
fn texts_of(row: &CorpusRow) -> [&str; 12] {
    [
        &row.prompt,
        &row.text,
        &row.audience,
        &row.format,
        &row.seed_data,
        &row.id,
        &row.template,
        &row.endpoint,
        &row.model,
        &row.sampling_seed,
        &row.finish_reason,
        &row.scores,
    ]
}

fn batch_of(rows: &[CorpusRow]) -> Result<RecordBatch, WriteError> {
    let text = |index: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| texts_of(row)[index])))
    };
    let lengths = rows.iter().map(|row| i64::from(row.token_length));
    let mut seqs = Vec::with_capacity(rows.len());
    for row in rows {
        let seq = i64::try_from(row.seq).map_err(|_| WriteError::Row {
            row: row.seq,
            message: "seq is out of range".to_owned(),
        })?;
        seqs.push(seq);
    }
    let columns: Vec<ArrayRef> = vec![
        text(0),
        text(1),
        Arc::new(Int64Array::from_iter_values(lengths)),
        text(2),
        text(3),
        text(4),
        text(5),
        Arc::new(Int64Array::from(seqs)),
        text(6),
        text(7),
        text(8),
        text(9),
        text(10),
        text(11),
    ];
    Ok(RecordBatch::try_new(arrow_schema(), columns)?)
}

/// Reads the rows of a corpus file back, in order.
pub struct CorpusParquetReader {
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    row: usize,
    rows_read: u64,
}

impl CorpusParquetReader {
    /// Opens a file and checks that it has the declared columns.
    pub fn open(file: File) -> Result<Self, WriteError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        if builder.schema().fields() != arrow_schema().fields() {
            return Err(WriteError::Parquet("the file does not have a corpus's columns".into()));
        }
        let batches = builder.with_batch_size(READ_BATCH_ROWS).build()?;
        Ok(Self { batches, batch: None, row: 0, rows_read: 0 })
    }
}

impl Iterator for CorpusParquetReader {
    type Item = Result<CorpusRow, WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = &self.batch
                && self.row < batch.num_rows()
            {
                self.rows_read += 1;
                let row = row_at(batch, self.row, self.rows_read);
                self.row += 1;
                return Some(row);
            }
            // Who asks again after the end gets the end again, not the last batch.
            (self.row, self.batch) = (0, None);
            match self.batches.next()? {
                Ok(batch) => self.batch = Some(batch),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

fn row_at(batch: &RecordBatch, index: usize, row: u64) -> Result<CorpusRow, WriteError> {
    let text = |column: usize| batch.column(column).as_string::<i32>().value(index).to_owned();
    let number = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(index);
    let out_of_range = |name: &str| WriteError::Row { row, message: format!("{name} is wrong") };
    Ok(CorpusRow {
        prompt: text(0),
        text: text(1),
        token_length: u32::try_from(number(2)).map_err(|_| out_of_range("token_length"))?,
        audience: text(3),
        format: text(4),
        seed_data: text(5),
        id: text(6),
        seq: u64::try_from(number(7)).map_err(|_| out_of_range("seq"))?,
        template: text(8),
        endpoint: text(9),
        model: text(10),
        sampling_seed: text(11),
        finish_reason: text(12),
        scores: text(13),
    })
}
