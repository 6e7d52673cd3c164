//! The rows of the corpus, in order.

use std::fs::File;
use std::path::{Path, PathBuf};

use hornbook_records::CorpusParquetReader;
use hornbook_types::CorpusRow;

use crate::Outcome;
use crate::shards::{SHARD, path};

/// Reads the documents' rows in order.
pub(crate) struct Rows {
    dir: PathBuf,
    next: u64,
    reader: Option<CorpusParquetReader>,
}

impl Rows {
    /// From the first row on.
    pub(crate) fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), next: 0, reader: None }
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Outcome<Option<CorpusRow>> {
        loop {
            if let Some(row) = self.reader.as_mut().and_then(Iterator::next) {
                return row.map(Some).map_err(|error| error.to_string());
            }
            self.reader = None;
            let path = path(&self.dir, self.next);
            if !path.exists() {
                return Ok(None);
            }
            self.next += SHARD;
            let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            self.reader = Some(CorpusParquetReader::open(file).map_err(|error| error.to_string())?);
        }
    }
}

/// The score in a row.
pub(crate) fn score(row: &CorpusRow) -> f32 {
    let digits = row.scores.split_once(':').map_or("", |(_, rest)| rest.trim_end_matches('}'));
    digits.parse().unwrap_or(f32::NAN)
}
