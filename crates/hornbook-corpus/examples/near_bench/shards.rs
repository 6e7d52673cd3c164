//! The corpus as Parquet files.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hornbook_records::CorpusParquetWriter;
use hornbook_types::CorpusRow;

use crate::Outcome;
use crate::planted::{Planted, jaccard};
use crate::prose::text;

/// Documents of a file.
pub(crate) const SHARD: u64 = 100_000;
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

/// The file whose first document has that number.
pub(crate) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{:05}.parquet", first / SHARD))
}
