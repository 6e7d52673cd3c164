//! Megatron-LM: ids in one file, and an index of sequences and documents in another.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use hornbook_types::TokenizerFacts;

use super::ids::{BUFFER_BYTES, IdFile, complete};
use super::{Piece, beside};
use crate::error::AssembleError;
use crate::hashing::create;

/// What an index begins with.
const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";
const VERSION: u64 = 1;
/// Below this size of the vocabulary Megatron-LM's own tools write ids in two bytes.
const NARROW_VOCABULARY: u64 = 65_500;
/// Numbers by which an index calls the kinds of ids.
const INT32: u8 = 4;
const UINT16: u8 = 8;

/// Every document is one sequence.
pub(super) struct MegatronShard {
    ids: IdFile,
    /// Lengths of documents so far, four bytes each: as many as there are, they stay out of memory.
    lengths: BufWriter<File>,
    lengths_path: PathBuf,
    documents: u64,
}

impl MegatronShard {
    pub(super) fn create(path: &Path, tokenizer: &TokenizerFacts) -> Result<Self, AssembleError> {
        let width = if tokenizer.vocabulary < NARROW_VOCABULARY { 2 } else { 4 };
        let ids = IdFile::create(path, tokenizer, width)?;
        let lengths_path = beside(path, "lengths");
        let lengths = File::create(&lengths_path).map_err(AssembleError::io(&lengths_path))?;
        let lengths = BufWriter::with_capacity(BUFFER_BYTES, lengths);
        Ok(Self { ids, lengths, lengths_path, documents: 0 })
    }

    pub(super) fn write(&mut self, ids: &[u32]) -> Result<(), AssembleError> {
        let tokens = self.ids.write(ids)?;
        let tokens = i32::try_from(tokens).map_err(|_| {
            AssembleError::Row(format!("a document of {tokens} tokens is too long for Megatron-LM"))
        })?;
        self.documents += 1;
        self.lengths.write_all(&tokens.to_le_bytes()).map_err(AssembleError::io(&self.lengths_path))
    }

    pub(super) fn finish(self) -> Result<Vec<Piece>, AssembleError> {
        let Self { ids, lengths, lengths_path, documents } = self;
        let written = lengths.into_inner().map_err(std::io::IntoInnerError::into_error);
        written.map_err(AssembleError::io(&lengths_path))?;
        let width = ids.width();
        let path = beside(&ids.path, "idx");
        let mut index = BufWriter::with_capacity(BUFFER_BYTES, create(&path)?);
        write_index(&mut index, &lengths_path, documents, width)
            .map_err(AssembleError::io(&path))?;
        fs::remove_file(&lengths_path).map_err(AssembleError::io(&lengths_path))?;
        Ok(vec![ids.finish("bin")?, complete(path, index, "idx", None)?])
    }
}

fn write_index(
    index: &mut impl Write,
    lengths: &Path,
    documents: u64,
    width: usize,
) -> std::io::Result<()> {
    index.write_all(MAGIC)?;
    index.write_all(&VERSION.to_le_bytes())?;
    index.write_all(&[if width == 2 { UINT16 } else { INT32 }])?;
    index.write_all(&documents.to_le_bytes())?;
    // The list of documents begins with a 0 before the first of them ends.
    index.write_all(&(documents + 1).to_le_bytes())?;
    for_each_length(lengths, documents, |length| index.write_all(&length.to_le_bytes()))?;
    let mut start = 0_u64;
    for_each_length(lengths, documents, |length| {
        index.write_all(&start.to_le_bytes())?;
        start += u64::from(length) * width as u64;
        Ok(())
    })?;
    (0..=documents).try_for_each(|document| index.write_all(&document.to_le_bytes()))
}

fn for_each_length(
    path: &Path,
    documents: u64,
    mut each: impl FnMut(u32) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    for _ in 0..documents {
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        each(u32::from_le_bytes(length))?;
    }
    Ok(())
}
