//! Shards: the rows of a corpus cut into files of bounded size.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use hornbook_records::{CorpusParquetWriter, JsonlZstWriter};
use hornbook_types::limits::{ROW_GROUP_BYTES, SHARD_TEXT_BYTES};
use hornbook_types::{CorpusFile, CorpusRow, ShardFormat};

use crate::error::AssembleError;
use crate::hashing::{Hashing, create};

/// Directory of the shards below a corpus.
pub(crate) const DATA_DIR: &str = "data";

/// How large shards and their parts may grow; tests make them small.
#[derive(Clone, Copy, Debug)]
pub struct ShardLimits {
    /// Uncompressed text per shard, in bytes.
    pub text_bytes: u64,
    /// Uncompressed bytes per Parquet row group.
    pub row_group_bytes: usize,
}

impl Default for ShardLimits {
    fn default() -> Self {
        Self { text_bytes: SHARD_TEXT_BYTES, row_group_bytes: ROW_GROUP_BYTES }
    }
}

/// Writes rows into shards, every format side by side and cut at the same rows.
///
/// Names hold the number of shards, which is known at the end: until then the files
/// have temporary names.
pub(crate) struct ShardWriter {
    dir: PathBuf,
    split: String,
    formats: Vec<ShardFormat>,
    limits: ShardLimits,
    open: Option<Shard>,
    done: Vec<Written>,
}

struct Shard {
    outputs: Vec<(PathBuf, Output)>,
    text_bytes: u64,
    rows: u64,
}

enum Output {
    Parquet(Box<CorpusParquetWriter<Hashing<File>>>),
    Jsonl(Box<JsonlZstWriter<Hashing<File>>>),
}

struct Written {
    shard: usize,
    format: ShardFormat,
    temporary: PathBuf,
    bytes: u64,
    sha256: String,
    rows: u64,
}

pub(crate) fn extension(format: ShardFormat) -> &'static str {
    match format {
        ShardFormat::Parquet => "parquet",
        ShardFormat::JsonlZst => "jsonl.zst",
    }
}

impl ShardWriter {
    /// Begins the shards of a split in `out/data`, which is made.
    pub(crate) fn new(
        out: &Path,
        split: &str,
        formats: &[ShardFormat],
        limits: ShardLimits,
    ) -> Result<Self, AssembleError> {
        let dir = out.join(DATA_DIR);
        fs::create_dir_all(&dir).map_err(AssembleError::io(&dir))?;
        let mut formats = formats.to_vec();
        formats.sort_unstable();
        formats.dedup();
        Ok(Self { dir, split: split.to_owned(), formats, limits, open: None, done: Vec::new() })
    }

    /// Appends one row, to a new shard when the text of the open one has reached its bound.
    pub(crate) fn write(&mut self, row: CorpusRow) -> Result<(), AssembleError> {
        let full = self.open.as_ref().is_some_and(|s| s.text_bytes >= self.limits.text_bytes);
        if full {
            self.close_shard()?;
        }
        let shard = match &mut self.open {
            Some(shard) => shard,
            None => {
                let shard = self.open_shard()?;
                self.open.insert(shard)
            }
        };
        shard.text_bytes += row.text.len() as u64;
        shard.rows += 1;
        let mut row = Some(row);
        let last = shard.outputs.len().saturating_sub(1);
        for (index, (path, output)) in shard.outputs.iter_mut().enumerate() {
            // The last output takes the row itself, so that one format alone copies nothing.
            let row = if index == last { row.take() } else { row.clone() };
            let Some(row) = row else { continue };
            match output {
                Output::Parquet(writer) => writer.write(row),
                Output::Jsonl(writer) => writer.write(&row),
            }
            .map_err(AssembleError::write(path))?;
        }
        Ok(())
    }

    /// Completes every shard under its final name; a split without rows has one empty shard.
    pub(crate) fn finish(mut self) -> Result<Vec<CorpusFile>, AssembleError> {
        if self.open.is_none() && self.done.is_empty() {
            self.open = Some(self.open_shard()?);
        }
        self.close_shard()?;
        let count = self.done.len() / self.formats.len().max(1);
        let mut files = Vec::with_capacity(self.done.len());
        for written in self.done {
            let (split, shard) = (&self.split, written.shard);
            let name = format!("{split}-{shard:05}-of-{count:05}.{}", extension(written.format));
            let path = self.dir.join(&name);
            fs::rename(&written.temporary, &path).map_err(AssembleError::io(&path))?;
            files.push(CorpusFile {
                path: format!("{DATA_DIR}/{name}"),
                bytes: written.bytes,
                sha256: written.sha256,
                rows: Some(written.rows),
            });
        }
        Ok(files)
    }

    fn open_shard(&self) -> Result<Shard, AssembleError> {
        let number = self.done.len() / self.formats.len().max(1);
        let mut outputs = Vec::with_capacity(self.formats.len());
        for &format in &self.formats {
            let name = format!(".{}-{number:05}.{}.tmp", self.split, extension(format));
            let path = self.dir.join(name);
            let file = create(&path)?;
            let output = match format {
                ShardFormat::Parquet => {
                    CorpusParquetWriter::with_row_group_bytes(file, self.limits.row_group_bytes)
                        .map(|writer| Output::Parquet(Box::new(writer)))
                }
                ShardFormat::JsonlZst => {
                    JsonlZstWriter::new(file).map(|writer| Output::Jsonl(Box::new(writer)))
                }
            }
            .map_err(AssembleError::write(&path))?;
            outputs.push((path, output));
        }
        Ok(Shard { outputs, text_bytes: 0, rows: 0 })
    }

    fn close_shard(&mut self) -> Result<(), AssembleError> {
        let Some(shard) = self.open.take() else { return Ok(()) };
        let number = self.done.len() / self.formats.len().max(1);
        for (temporary, output) in shard.outputs {
            let (format, file) = match output {
                Output::Parquet(writer) => (ShardFormat::Parquet, writer.finish()),
                Output::Jsonl(writer) => (ShardFormat::JsonlZst, writer.finish()),
            };
            let file = file.map_err(AssembleError::write(&temporary))?;
            let (_, bytes, sha256) = file.finish();
            self.done.push(Written {
                shard: number,
                format,
                temporary,
                bytes,
                sha256,
                rows: shard.rows,
            });
        }
        Ok(())
    }
}
