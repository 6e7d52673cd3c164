//! The formats that shards are written in: rows, conversations, and token ids as trainers map them into memory.

mod datatrove;
mod ids;
mod megatron;
mod messages;
mod nanogpt;

use std::fs::File;
use std::path::{Path, PathBuf};

use hornbook_records::{CorpusParquetWriter, JsonlZstWriter};
use hornbook_types::{CorpusRow, ShardFormat, TokenizerFacts};

use crate::error::AssembleError;
use crate::hashing::{Hashing, create};
use datatrove::DatatroveShard;
use megatron::MegatronShard;
use messages::conversation;
use nanogpt::NanoGptShard;

/// Directory of a format's files below a corpus.
///
/// Rows lie where clients look for them; every other format has a place of its own, so that no pattern that means
/// rows takes it for a second copy of them.
pub(crate) fn directory(format: ShardFormat) -> &'static str {
    match format {
        ShardFormat::Parquet | ShardFormat::JsonlZst => "data",
        ShardFormat::Messages => "messages",
        ShardFormat::NanoGpt => "nanogpt",
        ShardFormat::Megatron => "megatron",
        ShardFormat::Datatrove => "datatrove",
    }
}

/// The end of the names of a format's main files.
pub(crate) fn extension(format: ShardFormat) -> &'static str {
    match format {
        ShardFormat::Parquet => "parquet",
        ShardFormat::JsonlZst | ShardFormat::Messages => "jsonl.zst",
        ShardFormat::NanoGpt | ShardFormat::Megatron => "bin",
        ShardFormat::Datatrove => "ds",
    }
}

/// One shard in one format, open for writing.
pub(crate) struct Output {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Parquet(Box<CorpusParquetWriter<Hashing<File>>>),
    Jsonl(Box<JsonlZstWriter<Hashing<File>>>),
    Messages(Box<JsonlZstWriter<Hashing<File>>>),
    NanoGpt(NanoGptShard),
    Megatron(MegatronShard),
    Datatrove(DatatroveShard),
}

/// A complete file under its temporary name.
pub(crate) struct Piece {
    pub(crate) temporary: PathBuf,
    /// What its name ends in, after the shard's number.
    pub(crate) extension: &'static str,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) tokens: Option<u64>,
}

impl Output {
    /// Begins a shard in the file at `path`, and in others beside it where the format has several.
    pub(crate) fn open(
        format: ShardFormat,
        path: PathBuf,
        row_group_bytes: usize,
        tokenizer: Option<&TokenizerFacts>,
    ) -> Result<Self, AssembleError> {
        let needed = || {
            tokenizer.ok_or_else(|| {
                AssembleError::Request(format!("the format {} needs a tokenizer", format.as_str()))
            })
        };
        let lines = || {
            JsonlZstWriter::new(create(&path)?).map(Box::new).map_err(AssembleError::write(&path))
        };
        let kind = match format {
            ShardFormat::Parquet => {
                CorpusParquetWriter::with_row_group_bytes(create(&path)?, row_group_bytes)
                    .map(|writer| Kind::Parquet(Box::new(writer)))
                    .map_err(AssembleError::write(&path))?
            }
            ShardFormat::JsonlZst => Kind::Jsonl(lines()?),
            ShardFormat::Messages => Kind::Messages(lines()?),
            ShardFormat::NanoGpt => Kind::NanoGpt(NanoGptShard::create(&path, needed()?)?),
            ShardFormat::Megatron => Kind::Megatron(MegatronShard::create(&path, needed()?)?),
            ShardFormat::Datatrove => Kind::Datatrove(DatatroveShard::create(&path, needed()?)?),
        };
        Ok(Self { path, kind })
    }

    /// Appends a row, or what the format keeps of it; `ids` are its tokens, where formats need them.
    pub(crate) fn write(&mut self, row: &CorpusRow, ids: &[u32]) -> Result<(), AssembleError> {
        let written = match &mut self.kind {
            Kind::Parquet(writer) => writer.write(row.clone()),
            Kind::Jsonl(writer) => writer.write(row),
            Kind::Messages(writer) => writer.write(&conversation(row)),
            Kind::NanoGpt(shard) => return shard.write(ids),
            Kind::Megatron(shard) => return shard.write(ids),
            Kind::Datatrove(shard) => return shard.write(ids),
        };
        written.map_err(AssembleError::write(&self.path))
    }

    /// Appends a row that nobody needs any more.
    pub(crate) fn write_owned(&mut self, row: CorpusRow, ids: &[u32]) -> Result<(), AssembleError> {
        match &mut self.kind {
            Kind::Parquet(writer) => writer.write(row).map_err(AssembleError::write(&self.path)),
            _ => self.write(&row, ids),
        }
    }

    /// Completes the shard's files.
    pub(crate) fn finish(self) -> Result<Vec<Piece>, AssembleError> {
        let Self { path, kind } = self;
        let (file, extension) = match kind {
            Kind::Parquet(writer) => (writer.finish(), "parquet"),
            Kind::Jsonl(writer) | Kind::Messages(writer) => (writer.finish(), "jsonl.zst"),
            Kind::NanoGpt(shard) => return Ok(vec![shard.finish()?]),
            Kind::Megatron(shard) => return shard.finish(),
            Kind::Datatrove(shard) => return shard.finish(),
        };
        let (_, bytes, sha256) = file.map_err(AssembleError::write(&path))?.finish();
        Ok(vec![Piece { temporary: path, extension, bytes, sha256, tokens: None }])
    }
}

/// A second file of a shard, beside the first.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}
