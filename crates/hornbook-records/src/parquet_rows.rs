//! Records from Apache Parquet.

use std::fs::File;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use hornbook_types::limits::SEED_FIELDS;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use crate::check::check_record;
use crate::columns::{is_supported, value_at};
use crate::{RecordError, RecordFault};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 256;

/// Reads Parquet row by row; columns whose type has no JSON counterpart are refused at once.
pub(crate) struct ParquetRows {
    batches: ParquetRecordBatchReader,
    schema: SchemaRef,
    batch: Option<RecordBatch>,
    row: usize,
    record: u64,
}

fn fault(record: u64, message: impl ToString) -> RecordError {
    RecordError { record, line: None, fault: RecordFault::Parquet(message.to_string()) }
}

impl ParquetRows {
    pub(crate) fn open(file: File) -> Result<Self, RecordError> {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| fault(0, error))?;
        let schema = builder.schema().clone();
        if schema.fields().len() > SEED_FIELDS {
            return Err(RecordError { record: 0, line: None, fault: RecordFault::TooManyFields });
        }
        for (index, field) in schema.fields().iter().enumerate() {
            if !is_supported(field.data_type()) {
                let (name, kind): (_, &DataType) = (field.name(), field.data_type());
                return Err(fault(0, format!("column '{name}' has the unsupported type {kind}")));
            }
            if schema.fields()[..index].iter().any(|other| other.name() == field.name()) {
                return Err(fault(0, format!("two columns are named '{}'", field.name())));
            }
        }
        let batches =
            builder.with_batch_size(BATCH_ROWS).build().map_err(|error| fault(0, error))?;
        Ok(Self { batches, schema, batch: None, row: 0, record: 0 })
    }

    fn take_row(&mut self, batch: &RecordBatch) -> Result<Map<String, Value>, RecordError> {
        let mut record = Map::new();
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            let value = value_at(column, self.row)
                .map_err(|message| fault(self.record, format!("{}: {message}", field.name())))?;
            record.insert(field.name().clone(), value);
        }
        check_record(&record).map_err(|fault| RecordError {
            record: self.record,
            line: None,
            fault,
        })?;
        Ok(record)
    }
}

impl Iterator for ParquetRows {
    type Item = Result<Map<String, Value>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.batch.take_if(|batch| self.row < batch.num_rows()) {
                self.record += 1;
                let record = self.take_row(&batch);
                self.row += 1;
                self.batch = Some(batch);
                return Some(record);
            }
            // Who asks again after the end gets the end again, not the last batch.
            (self.row, self.batch) = (0, None);
            match self.batches.next()? {
                Ok(batch) => self.batch = Some(batch),
                Err(error) => return Some(Err(fault(self.record + 1, error))),
            }
        }
    }
}
