//! The tokenizer that an assembly names, on the machine of this worker.

use std::path::{Path, PathBuf};

use hornbook_corpus::{AssembleError, CorpusTokenizer};
use hornbook_types::{AssemblySpec, tokenizer_places};

use crate::shared::Shared;

/// The tokenizer's file, if the assembly names one.
pub(crate) fn tokenizer_file(
    shared: &Shared,
    assembly: &AssemblySpec,
) -> Result<Option<PathBuf>, AssembleError> {
    let Some(name) = &assembly.tokenizer else { return Ok(None) };
    let places = tokenizer_places(&shared.tokenizers, name);
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(Some(place.clone())),
        None => Err(AssembleError::Tokenizer {
            path: places.into_iter().next().unwrap_or_default(),
            message: "is not there, on the machine of this worker".to_owned(),
        }),
    }
}

/// Reads what [`tokenizer_file`] found.
pub(crate) fn read_tokenizer(
    file: Option<&Path>,
    assembly: &AssemblySpec,
) -> Result<Option<CorpusTokenizer>, AssembleError> {
    let Some((file, name)) = file.zip(assembly.tokenizer.as_deref()) else { return Ok(None) };
    CorpusTokenizer::read(file, name, assembly.end_of_text.as_deref()).map(Some)
}
