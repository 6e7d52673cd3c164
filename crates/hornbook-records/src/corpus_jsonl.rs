//! Rows as JSON lines inside zstd, and back.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::marker::PhantomData;

use hornbook_types::limits::ANSWER_BYTES;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::WriteError;
use crate::ndjson::read_until_newline;

/// Compression level of everything that is written: past 3, text shrinks little and time grows fast.
pub(crate) const ZSTD_LEVEL: i32 = 3;
/// Bytes gathered before they are compressed.
const BUFFER_BYTES: usize = 256 * 1024;
/// Longest line that is read back: the longest answer with every byte escaped, and its prompt.
const LINE_BYTES: usize = 8 * ANSWER_BYTES;

/// Writes a `.jsonl.zst` file whose bytes depend on nothing but its rows.
pub struct JsonlZstWriter<W: Write> {
    out: BufWriter<zstd::stream::write::Encoder<'static, W>>,
}

impl<W: Write> JsonlZstWriter<W> {
    /// Begins a file.
    pub fn new(out: W) -> Result<Self, WriteError> {
        let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self { out: BufWriter::with_capacity(BUFFER_BYTES, encoder) })
    }

    /// Appends one row.
    pub fn write<T: Serialize>(&mut self, row: &T) -> Result<(), WriteError> {
        serde_json::to_writer(&mut self.out, row).map_err(std::io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Ends the zstd frame; gives the output back.
    pub fn finish(self) -> Result<W, WriteError> {
        let encoder = self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(encoder.finish()?)
    }
}

/// Reads the rows of a `.jsonl.zst` file back, in order.
pub struct JsonlZstReader<R: Read, T> {
    input: BufReader<zstd::stream::read::Decoder<'static, BufReader<R>>>,
    line: Vec<u8>,
    rows_read: u64,
    kind: PhantomData<fn() -> T>,
}

impl<R: Read, T: DeserializeOwned> JsonlZstReader<R, T> {
    /// Begins to read.
    pub fn new(input: R) -> Result<Self, WriteError> {
        let decoder = zstd::stream::read::Decoder::new(input)?;
        let input = BufReader::with_capacity(BUFFER_BYTES, decoder);
        Ok(Self { input, line: Vec::new(), rows_read: 0, kind: PhantomData })
    }

    fn read_row(&mut self) -> Result<Option<T>, WriteError> {
        let row = self.rows_read + 1;
        let wrong = |message: String| WriteError::Row { row, message };
        self.line.clear();
        if !read_until_newline(&mut self.input, &mut self.line, LINE_BYTES)? {
            return Err(wrong(format!("is longer than {LINE_BYTES} bytes")));
        }
        if self.line.is_empty() {
            return Ok(None);
        }
        let parsed = serde_json::from_slice(&self.line).map_err(|error| wrong(error.to_string()));
        self.rows_read = row;
        parsed.map(Some)
    }

    /// Gives the input back, read to its end, so that a wrapper around it has seen every byte.
    pub fn into_inner(self) -> Result<R, WriteError> {
        let mut rest = self.input.into_inner().finish();
        loop {
            let length = rest.fill_buf()?.len();
            if length == 0 {
                return Ok(rest.into_inner());
            }
            rest.consume(length);
        }
    }
}

impl<R: Read, T: DeserializeOwned> Iterator for JsonlZstReader<R, T> {
    type Item = Result<T, WriteError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_row().transpose()
    }
}
