//! What was found out about a part's documents, in files that outlive an assembly.
//!
//! A column is one kind of knowledge (hashes, signatures, leaks ...) under a key that names the content of the part
//! and everything that the knowledge depends on. It counts once its totals are there: they are written last.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::limits::FACTS_BUFFER_BYTES;
use crate::error::AssembleError;

/// Counts of a column that is complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColumnTotals {
    /// Documents.
    pub(crate) documents: u64,
    /// Documents whose length in tokens is an estimate.
    pub(crate) estimated: u64,
    /// Processor time that reading, hashing and signing took, in nanoseconds.
    pub(crate) dedup_nanos: u64,
    /// Processor time that looking for benchmarks took, in nanoseconds.
    pub(crate) decontaminate_nanos: u64,
    /// Bytes of each of its files.
    lengths: Vec<u64>,
}

/// A complete column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    stem: PathBuf,
    pub(crate) totals: ColumnTotals,
}

const TOTALS: &str = "json";

/// One file of a column.
fn file_of(stem: &Path, name: &str) -> PathBuf {
    stem.with_extension(name)
}

impl Column {
    /// The column of `key` in `dir` with those files, if it is complete.
    pub(crate) fn find(
        dir: &Path,
        key: &str,
        names: &[&str],
    ) -> Result<Option<Self>, AssembleError> {
        let stem = dir.join(key);
        let path = file_of(&stem, TOTALS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AssembleError::io(&path)(error)),
        };
        let Ok(totals) = serde_json::from_slice::<ColumnTotals>(&bytes) else { return Ok(None) };
        let lengths: Vec<u64> = names
            .iter()
            .map(|name| fs::metadata(file_of(&stem, name)).map_or(u64::MAX, |file| file.len()))
            .collect();
        Ok((lengths == totals.lengths).then_some(Self { stem, totals }))
    }

    /// One of its files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        file_of(&self.stem, name)
    }

    /// Reads one of its files from the beginning.
    pub(crate) fn open(&self, name: &str) -> Result<BufReader<File>, AssembleError> {
        let path = self.path(name);
        let file = File::open(&path).map_err(AssembleError::io(&path))?;
        Ok(BufReader::with_capacity(FACTS_BUFFER_BYTES, file))
    }
}

/// Writes a column; it counts once `finish` has returned.
pub(crate) struct ColumnWriter {
    stem: PathBuf,
    files: Vec<(PathBuf, BufWriter<File>, u64)>,
    pub(crate) totals: ColumnTotals,
}

impl ColumnWriter {
    /// Begins the column of `key` in `dir`, which must exist.
    pub(crate) fn create(dir: &Path, key: &str, names: &[&str]) -> Result<Self, AssembleError> {
        let stem = dir.join(key);
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let path = file_of(&stem, name);
            let file = File::create(&path).map_err(AssembleError::io(&path))?;
            files.push((path, BufWriter::with_capacity(FACTS_BUFFER_BYTES, file), 0));
        }
        Ok(Self { stem, files, totals: ColumnTotals::default() })
    }

    /// Appends to the file that was named at that place.
    pub(crate) fn write(&mut self, file: usize, bytes: &[u8]) -> Result<(), AssembleError> {
        let Some((path, file, length)) = self.files.get_mut(file) else { return Ok(()) };
        *length += bytes.len() as u64;
        file.write_all(bytes).map_err(AssembleError::io(path))
    }

    /// Completes it: everything else first, then the totals, which say that it is there.
    pub(crate) fn finish(self) -> Result<Column, AssembleError> {
        let Self { stem, files, mut totals } = self;
        for (path, file, length) in files {
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error);
            // A machine that dies must not leave totals of what was never stored.
            file.and_then(|file| file.sync_data()).map_err(AssembleError::io(&path))?;
            totals.lengths.push(length);
        }
        let json =
            serde_json::to_vec(&totals).map_err(|error| AssembleError::Row(error.to_string()))?;
        let (path, temporary) = (file_of(&stem, TOTALS), file_of(&stem, "tmp"));
        fs::write(&temporary, json).map_err(AssembleError::io(&temporary))?;
        fs::rename(&temporary, &path).map_err(AssembleError::io(&path))?;
        Ok(Column { stem, totals })
    }
}
