//! Shards: the rows of a corpus cut into files of bounded size.

use std::fs;
use std::path::{Path, PathBuf};

use hornbook_types::limits::{ROW_GROUP_BYTES, SHARD_TEXT_BYTES};
use hornbook_types::{CorpusFile, CorpusRow, ShardFormat, TokenizerFacts};

use crate::error::AssembleError;
use crate::formats::{Output, Piece, directory, extension};

/// Directory of the rows below a corpus.
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
    out: PathBuf,
    split: String,
    formats: Vec<ShardFormat>,
    tokenizer: Option<TokenizerFacts>,
    limits: ShardLimits,
    open: Option<Shard>,
    /// Shards that are complete.
    shards: usize,
    done: Vec<Written>,
}

struct Shard {
    outputs: Vec<(ShardFormat, Output)>,
    text_bytes: u64,
    rows: u64,
}

struct Written {
    shard: usize,
    format: ShardFormat,
    rows: u64,
    piece: Piece,
}

impl ShardWriter {
    /// Begins the shards of a split in directories below `out`, which are made; token formats need a tokenizer.
    pub(crate) fn new(
        out: &Path,
        split: &str,
        formats: &[ShardFormat],
        tokenizer: Option<&TokenizerFacts>,
        limits: ShardLimits,
    ) -> Result<Self, AssembleError> {
        let mut formats = formats.to_vec();
        // Parquet comes last, because it alone needs rows for good.
        formats.sort_unstable_by(|a, b| b.cmp(a));
        formats.dedup();
        for format in &formats {
            let dir = out.join(directory(*format));
            fs::create_dir_all(&dir).map_err(AssembleError::io(&dir))?;
        }
        let (out, split, tokenizer) = (out.to_owned(), split.to_owned(), tokenizer.cloned());
        let (open, done) = (None, Vec::new());
        Ok(Self { out, split, formats, tokenizer, limits, open, shards: 0, done })
    }

    /// Appends one row, whose tokens are `ids` where formats need them, to a new shard when the text of the open one has reached its bound.
    pub(crate) fn write(&mut self, row: CorpusRow, ids: &[u32]) -> Result<(), AssembleError> {
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
        // The last output takes the row itself, so that one format alone copies nothing.
        let Some(((_, last), others)) = shard.outputs.split_last_mut() else { return Ok(()) };
        for (_, output) in others {
            output.write(&row, ids)?;
        }
        last.write_owned(row, ids)
    }

    /// Completes every shard under its final name; a split without rows has one empty shard.
    pub(crate) fn finish(mut self) -> Result<Vec<CorpusFile>, AssembleError> {
        if self.open.is_none() && self.shards == 0 {
            self.open = Some(self.open_shard()?);
        }
        self.close_shard()?;
        let mut files = Vec::with_capacity(self.done.len());
        for Written { shard, format, rows, piece } in self.done {
            let (split, count) = (&self.split, self.shards);
            let name = format!("{split}-{shard:05}-of-{count:05}.{}", piece.extension);
            let path = format!("{}/{name}", directory(format));
            let place = self.out.join(&path);
            fs::rename(&piece.temporary, &place).map_err(AssembleError::io(&place))?;
            let Piece { bytes, sha256, tokens, .. } = piece;
            files.push(CorpusFile { path, bytes, sha256, rows: Some(rows), tokens });
        }
        Ok(files)
    }

    fn open_shard(&self) -> Result<Shard, AssembleError> {
        let mut outputs = Vec::with_capacity(self.formats.len());
        for &format in &self.formats {
            let name = format!(".{}-{:05}.{}.tmp", self.split, self.shards, extension(format));
            let path = self.out.join(directory(format)).join(name);
            let rows = self.limits.row_group_bytes;
            outputs.push((format, Output::open(format, path, rows, self.tokenizer.as_ref())?));
        }
        Ok(Shard { outputs, text_bytes: 0, rows: 0 })
    }

    fn close_shard(&mut self) -> Result<(), AssembleError> {
        let Some(shard) = self.open.take() else { return Ok(()) };
        for (format, output) in shard.outputs {
            for piece in output.finish()? {
                self.done.push(Written { shard: self.shards, format, rows: shard.rows, piece });
            }
        }
        self.shards += 1;
        Ok(())
    }
}
