//! The corpus as Parquet files, and back in order.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hornbook_records::{CorpusParquetReader, CorpusParquetWriter};
use hornbook_types::CorpusRow;

use crate::Outcome;
use crate::planted::{Planted, jaccard};
use crate::prose::text;

/// Documents of a file.
const SHARD: u64 = 100_000;
/// Where the truth lies: index, base, band and Jaccard of each variant.
pub(crate) const TRUTH: &str = "truth.tsv";

/// Writes the files and the truth.
pub(crate) fn generate(planted: &Planted, dir: &Path) -> Outcome {
    let say = |error: &dyn std::fmt::Display| format!("{}: {error}", dir.display());
    fs::create_dir_all(dir).map_err(|error| say(&error))?;
    let truth = File::create(dir.join(TRUTH)).map_err(|error| say(&error))?;
    let mut truth = BufWriter::new(truth);
    for first in (0..planted.documents).step_by(SHARD as usize) {
        let file = File::create(path(dir, first)).map_err(|error| say(&error))?;
        let mut writer = CorpusParquetWriter::new(file).map_err(|error| say(&error))?;
        for index in first..planted.documents.min(first + SHARD) {
            let words = planted.words(index);
            if let Some(variant) = planted.variant(index) {
                let similarity = jaccard(&planted.words(variant.base), &words);
                writeln!(truth, "{index}\t{}\t{}\t{similarity}", variant.base, variant.band)
                    .map_err(|error| say(&error))?;
            }
            writer
                .write(row(index, text(&words), planted.score(index)))
                .map_err(|error| say(&error))?;
        }
        writer.finish().map_err(|error| say(&error))?;
    }
    truth.flush().map_err(|error| say(&error))
}

fn row(index: u64, text: String, score: f32) -> CorpusRow {
    CorpusRow {
        prompt: "Write a chapter of a textbook.".to_owned(),
        token_length: (text.len() / 5) as u32,
        text,
        audience: "middle-school".to_owned(),
        format: "textbook-chapter".to_owned(),
        seed_data: "{}".to_owned(),
        id: format!("{index:032x}"),
        seq: index,
        template: "textbook-chapter@1".to_owned(),
        endpoint: "local".to_owned(),
        model: "none".to_owned(),
        sampling_seed: index.to_string(),
        finish_reason: "stop".to_owned(),
        scores: format!("{{\"educational\":{score}}}"),
    }
}

fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{:05}.parquet", first / SHARD))
}

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
