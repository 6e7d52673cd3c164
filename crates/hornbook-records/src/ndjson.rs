//! One JSON object a line.

use std::io::{self, BufRead};

use hornbook_types::limits::SEED_BYTES;
use serde_json::{Map, Value};

use crate::object::parse_object;
use crate::{RecordError, RecordFault};

/// UTF-8's byte order mark, which some editors put first.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads NDJSON; blank lines are skipped, but counted as lines.
pub(crate) struct Ndjson<R> {
    input: R,
    line: u64,
    record: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Ndjson<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: 0, record: 0, buffer: Vec::new() }
    }

    /// The line that was read last, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Reads one line without its end into the buffer; false at the end of the file.
    fn read_line(&mut self) -> Result<bool, RecordFault> {
        self.buffer.clear();
        if !read_until_newline(&mut self.input, &mut self.buffer, SEED_BYTES)? {
            return Err(RecordFault::TooLarge);
        }
        if self.buffer.is_empty() {
            return Ok(false);
        }
        if self.line == 0 && self.buffer.starts_with(BOM) {
            self.buffer.drain(..BOM.len());
        }
        Ok(true)
    }
}

/// Appends up to and including the next newline; false when that takes more than `limit` bytes.
pub(crate) fn read_until_newline(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    limit: usize,
) -> io::Result<bool> {
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let newline = available.iter().position(|&byte| byte == b'\n');
        let taken = newline.map_or(available.len(), |at| at + 1);
        if line.len() + taken > limit.saturating_add(1) {
            return Ok(false);
        }
        line.extend_from_slice(&available[..taken]);
        input.consume(taken);
        if newline.is_some() || taken == 0 {
            return Ok(true);
        }
    }
}

impl<R: BufRead> Iterator for Ndjson<R> {
    type Item = Result<Map<String, Value>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read_line() {
                Ok(false) => return None,
                Ok(true) => self.line += 1,
                Err(fault) => {
                    let (record, line) = (self.record + 1, Some(self.line + 1));
                    return Some(Err(RecordError { record, line, fault }));
                }
            }
            if self.buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.record += 1;
            let (record, line) = (self.record, Some(self.line));
            return Some(parse_object(&self.buffer).map_err(|(_, fault)| RecordError {
                record,
                line,
                fault,
            }));
        }
    }
}
