//! datatrove: ids, where each document ends, and a note of the tokenizer and the number of tokens.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hornbook_types::TokenizerFacts;

use super::ids::{BUFFER_BYTES, IdFile, complete};
use super::{Piece, beside};
use crate::error::AssembleError;
use crate::hashing::{Hashing, create};

/// Largest vocabulary whose ids are written in two bytes, as datatrove decides it.
const NARROW_VOCABULARY: u64 = 65_536;

pub(super) struct DatatroveShard {
    ids: IdFile,
    ends: BufWriter<Hashing<File>>,
    ends_path: PathBuf,
    name: String,
}

impl DatatroveShard {
    pub(super) fn create(path: &Path, tokenizer: &TokenizerFacts) -> Result<Self, AssembleError> {
        let width = if tokenizer.vocabulary <= NARROW_VOCABULARY { 2 } else { 4 };
        let ids = IdFile::create(path, tokenizer, width)?;
        let ends_path = beside(path, "index");
        let ends = BufWriter::with_capacity(BUFFER_BYTES, create(&ends_path)?);
        Ok(Self { ids, ends, ends_path, name: tokenizer.name.clone() })
    }

    pub(super) fn write(&mut self, ids: &[u32]) -> Result<(), AssembleError> {
        self.ids.write(ids)?;
        let end = self.ids.tokens.to_le_bytes();
        self.ends.write_all(&end).map_err(AssembleError::io(&self.ends_path))
    }

    pub(super) fn finish(self) -> Result<Vec<Piece>, AssembleError> {
        let Self { ids, ends, ends_path, name } = self;
        let (tokens, width) = (ids.tokens, ids.width());
        let path = beside(&ids.path, "metadata");
        let mut note = BufWriter::with_capacity(BUFFER_BYTES, create(&path)?);
        write!(note, "{name}|{width}\n{tokens}\n{}", in_short(tokens))
            .map_err(AssembleError::io(&path))?;
        Ok(vec![
            ids.finish("ds")?,
            complete(ends_path, ends, "ds.index", None)?,
            complete(path, note, "ds.metadata", None)?,
        ])
    }
}

/// A number of tokens with three digits and a prefix, as people read it.
fn in_short(tokens: u64) -> String {
    let exponent = tokens.checked_ilog10().unwrap_or(0);
    let group = exponent / 3;
    let value = tokens as f64 / 1000_f64.powi(group as i32);
    let prefix = ["", "k", "M", "G", "T", "P", "E"].get(group as usize).unwrap_or(&"");
    let digits = 2 - exponent as usize % 3;
    format!("{value:.digits$} {prefix}T")
}

#[cfg(test)]
mod tests {
    use super::in_short;

    #[test]
    fn numbers_are_short() {
        for (tokens, short) in [
            (0, "0.00 T"),
            (7, "7.00 T"),
            (999, "999 T"),
            (1_234, "1.23 kT"),
            (45_678_901, "45.7 MT"),
            (123_456_789_012, "123 GT"),
        ] {
            assert_eq!(in_short(tokens), short);
        }
    }
}
