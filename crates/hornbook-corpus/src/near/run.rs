//! Sorted records of 16 bytes in a file.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::limits::{RUN_READ_BYTES, RUN_WRITE_BYTES};
use super::scratch::Scratch;
use crate::AssembleError;

/// Bytes of a record.
const RECORD_BYTES: usize = size_of::<u128>();

/// A written run; its file goes away with it.
#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
    bytes: u64,
    scratch: Arc<Scratch>,
}

impl Run {
    /// Reads it from its beginning.
    pub(super) fn read(&self) -> Result<RunReader, AssembleError> {
        let file = File::open(&self.path).map_err(AssembleError::io(&self.path))?;
        let reader = BufReader::with_capacity(RUN_READ_BYTES, file);
        Ok(RunReader { reader, path: self.path.clone(), left: self.bytes })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // The whole directory goes in the end, whatever happens here.
        let _ = fs::remove_file(&self.path);
        self.scratch.shrank(self.bytes);
    }
}

/// Writes a run.
pub(super) struct RunWriter {
    writer: BufWriter<File>,
    run: Run,
}

impl RunWriter {
    /// Begins a file of that name.
    pub(super) fn new(scratch: &Arc<Scratch>, name: &str) -> Result<Self, AssembleError> {
        let path = scratch.path(name);
        let file = File::create(&path).map_err(AssembleError::io(&path))?;
        let writer = BufWriter::with_capacity(RUN_WRITE_BYTES, file);
        Ok(Self { writer, run: Run { path, bytes: 0, scratch: scratch.clone() } })
    }

    /// Appends a record.
    pub(super) fn push(&mut self, record: u128) -> Result<(), AssembleError> {
        self.run.bytes += RECORD_BYTES as u64;
        self.run.scratch.grew(RECORD_BYTES as u64);
        self.writer.write_all(&record.to_le_bytes()).map_err(AssembleError::io(&self.run.path))
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<Run, AssembleError> {
        self.writer.flush().map_err(AssembleError::io(&self.run.path))?;
        Ok(self.run)
    }
}

/// Reads a run.
pub(super) struct RunReader {
    reader: BufReader<File>,
    path: PathBuf,
    left: u64,
}

impl RunReader {
    /// The next record, if there is one; a file that ends early is an error.
    pub(super) fn next(&mut self) -> Result<Option<u128>, AssembleError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut record = [0; RECORD_BYTES];
        self.reader.read_exact(&mut record).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => AssembleError::io(&self.path)(std::io::Error::new(
                ErrorKind::UnexpectedEof,
                "the file was cut short while it was in use",
            )),
            _ => AssembleError::io(&self.path)(error),
        })?;
        self.left -= RECORD_BYTES as u64;
        Ok(Some(u128::from_le_bytes(record)))
    }
}
