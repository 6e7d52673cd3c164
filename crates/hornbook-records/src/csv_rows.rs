//! Comma-separated values with a header row.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hornbook_types::limits::{SEED_BYTES, SEED_FIELDS};
use serde_json::{Map, Value};

use crate::check::check_record;
use crate::{RecordError, RecordFault};

/// Bytes that the parser reads at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes that may be read for one record: quoting can double it, and the buffer reads ahead.
const RECORD_BUDGET_BYTES: usize = 2 * SEED_BYTES + 2 * BUFFER_BYTES;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Reads CSV (RFC 4180); every row needs as many fields as the header.
pub(crate) struct CsvRows<R: Read> {
    rows: csv::Reader<Metered<R>>,
    budget: Arc<AtomicUsize>,
    names: Vec<String>,
    row: csv::StringRecord,
    record: u64,
}

/// Stops a parser that would otherwise take a whole file, or its end, for one quoted field.
struct Metered<R> {
    input: R,
    budget: Arc<AtomicUsize>,
    place: Place,
    bytes_read: usize,
}

/// Where in a field the next byte stands; the parser itself does not tell how a file ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Bare,
    Quoted,
    /// After a quote that closes the field, unless another one follows.
    Quote,
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Quote,
            (Self::Quoted, _) | (Self::Start | Self::Quote, b'"') => Self::Quoted,
            (_, b',' | b'\r' | b'\n') => Self::Start,
            _ => Self::Bare,
        }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.load(Ordering::Relaxed);
        let size = buffer.len().min(left);
        if size == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "record too large"));
        }
        let read = self.input.read(&mut buffer[..size])?;
        self.budget.store(left - read, Ordering::Relaxed);
        if read == 0 && self.place == Place::Quoted && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "open quote"));
        }
        for (at, &byte) in buffer[..read].iter().enumerate() {
            // The parser skips a byte order mark.
            if BYTE_ORDER_MARK.get(self.bytes_read + at) != Some(&byte) {
                self.place = self.place.after(byte);
            }
        }
        self.bytes_read = self.bytes_read.saturating_add(read);
        Ok(read)
    }
}

impl<R: Read> CsvRows<R> {
    pub(crate) fn open(input: R) -> Result<Self, RecordError> {
        let budget = Arc::new(AtomicUsize::new(RECORD_BUDGET_BYTES));
        let mut rows =
            csv::ReaderBuilder::new().buffer_capacity(BUFFER_BYTES).from_reader(Metered {
                input,
                budget: Arc::clone(&budget),
                place: Place::Start,
                bytes_read: 0,
            });
        let header = rows.headers().map_err(|error| convert(&error, 0, 1))?.clone();
        let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        let fault = |fault| RecordError { record: 0, line: Some(1), fault };
        if names.len() > SEED_FIELDS {
            return Err(fault(RecordFault::TooManyFields));
        }
        for (index, name) in names.iter().enumerate() {
            if name.is_empty() {
                let message = format!("column {} of the header has no name", index + 1);
                return Err(fault(RecordFault::Csv(message)));
            }
            if names[..index].contains(name) {
                let message = format!("the header names column '{name}' twice");
                return Err(fault(RecordFault::Csv(message)));
            }
        }
        Ok(Self { rows, budget, names, row: csv::StringRecord::new(), record: 0 })
    }
}

fn convert(error: &csv::Error, record: u64, line: u64) -> RecordError {
    let at = error.position().map_or(line, csv::Position::line);
    let fault = match error.kind() {
        csv::ErrorKind::Io(io) if io.kind() == io::ErrorKind::FileTooLarge => RecordFault::TooLarge,
        csv::ErrorKind::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
            RecordFault::Csv("a quoted field is never closed".to_owned())
        }
        csv::ErrorKind::Io(io) => RecordFault::Io(io::Error::new(io.kind(), io.to_string())),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            RecordFault::Csv(format!("the row has {len} fields, but the header has {expected_len}"))
        }
        csv::ErrorKind::Utf8 { err, .. } => RecordFault::Csv(err.to_string()),
        other => RecordFault::Csv(format!("{other:?}")),
    };
    RecordError { record, line: Some(at), fault }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = Result<Map<String, Value>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.budget.store(RECORD_BUDGET_BYTES, Ordering::Relaxed);
        let line = self.rows.position().line();
        match self.rows.read_record(&mut self.row) {
            Ok(false) => return None,
            Ok(true) => self.record += 1,
            Err(error) => return Some(Err(convert(&error, self.record + 1, line))),
        }
        let record: Map<String, Value> = self
            .names
            .iter()
            .zip(self.row.iter())
            .map(|(name, field)| (name.clone(), Value::String(field.to_owned())))
            .collect();
        let line = self.row.position().map_or(line, csv::Position::line);
        Some(match check_record(&record) {
            Ok(()) => Ok(record),
            Err(fault) => Err(RecordError { record: self.record, line: Some(line), fault }),
        })
    }
}
