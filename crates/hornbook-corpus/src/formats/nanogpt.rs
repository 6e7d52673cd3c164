//! nanoGPT: nothing but ids, which its loader maps into memory and cuts at random.

use std::path::Path;

use hornbook_types::TokenizerFacts;

use super::Piece;
use super::ids::IdFile;
use crate::error::AssembleError;

/// Largest vocabulary whose ids are written in two bytes.
const NARROW_VOCABULARY: u64 = 65_535;

pub(super) struct NanoGptShard(IdFile);

impl NanoGptShard {
    pub(super) fn create(path: &Path, tokenizer: &TokenizerFacts) -> Result<Self, AssembleError> {
        let width = if tokenizer.vocabulary <= NARROW_VOCABULARY { 2 } else { 4 };
        Ok(Self(IdFile::create(path, tokenizer, width)?))
    }

    pub(super) fn write(&mut self, ids: &[u32]) -> Result<(), AssembleError> {
        self.0.write(ids).map(|_| ())
    }

    pub(super) fn finish(self) -> Result<Piece, AssembleError> {
        self.0.finish("bin")
    }
}
