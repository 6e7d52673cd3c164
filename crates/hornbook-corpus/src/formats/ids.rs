//! A file of token ids, each document followed by the token that ends it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hornbook_types::TokenizerFacts;

use super::Piece;
use crate::error::AssembleError;
use crate::hashing::{Hashing, create};

/// Bytes gathered before they are hashed and written.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;

/// Writes ids of two or four bytes, little-endian.
pub(super) struct IdFile {
    pub(super) path: PathBuf,
    out: BufWriter<Hashing<File>>,
    width: usize,
    end: u32,
    /// Tokens so far, ends included.
    pub(super) tokens: u64,
}

impl IdFile {
    /// Begins a file of ids that have `width` bytes each.
    pub(super) fn create(
        path: &Path,
        tokenizer: &TokenizerFacts,
        width: usize,
    ) -> Result<Self, AssembleError> {
        let end = tokenizer.end_of_text_id.ok_or_else(|| {
            AssembleError::Request(format!(
                "the tokenizer {} has no special token of the usual names to end documents with: name one with end_of_text",
                tokenizer.name
            ))
        })?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, create(path)?);
        Ok(Self { path: path.to_owned(), out, width, end, tokens: 0 })
    }

    /// Bytes of an id.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Appends a document and its end; returns how many tokens that is.
    pub(super) fn write(&mut self, ids: &[u32]) -> Result<u64, AssembleError> {
        let width = self.width;
        let mut all = ids.iter().chain([&self.end]);
        all.try_for_each(|id| self.out.write_all(&id.to_le_bytes()[..width]))
            .map_err(AssembleError::io(&self.path))?;
        let tokens = ids.len() as u64 + 1;
        self.tokens += tokens;
        Ok(tokens)
    }

    pub(super) fn finish(self, extension: &'static str) -> Result<Piece, AssembleError> {
        let tokens = Some(self.tokens);
        complete(self.path, self.out, extension, tokens)
    }
}

/// Writes out what is gathered and tells what the file is.
pub(super) fn complete(
    path: PathBuf,
    out: BufWriter<Hashing<File>>,
    extension: &'static str,
    tokens: Option<u64>,
) -> Result<Piece, AssembleError> {
    let out = out.into_inner().map_err(|error| AssembleError::io(&path)(error.into_error()))?;
    let (_, bytes, sha256) = out.finish();
    Ok(Piece { temporary: path, extension, bytes, sha256, tokens })
}
