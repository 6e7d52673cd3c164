//! Token counts of what an assembly keeps.

use std::fs;
use std::path::Path;

use hornbook_types::TokenizerFacts;

use super::deciding::{Decided, Digested};
use super::{Fate, Part as _};
use crate::error::AssembleError;
use crate::segment::Segment;
use crate::tokens::{CorpusTokenizer, CountRequest, CountedPart, Tokens, Wanted};

/// The tokens of every document that stays.
pub(crate) fn count_tokens(
    request: &CountRequest<'_>,
    parts: &[Digested<'_>],
    decided: &Decided,
) -> Result<Tokens, AssembleError> {
    let mut counted = Vec::with_capacity(parts.len());
    for ((part, digest), facts) in parts.iter().zip(&decided.facts) {
        counted.push(CountedPart { part: *part, digest, documents: facts.totals.documents });
    }
    Tokens::count_all(request, &counted, &|number| wanted(decided, number))
}

/// What of a document becomes a row.
fn wanted(decided: &Decided, number: u64) -> Wanted {
    // The ledger has no more documents than 32 bits can number.
    let number = number as u32;
    match (decided.ledger.fate(number), decided.ledger.kept_bytes(number)) {
        (Fate::Stays, None) => Wanted::Whole,
        (Fate::Stays, Some(bytes)) => Wanted::Beginning(u32::try_from(bytes).unwrap_or(u32::MAX)),
        _ => Wanted::Nothing,
    }
}

/// Counts the tokens of all of a segment's documents ahead of any assembly, and keeps the counts in `sidecars`.
pub fn count_segment(
    segment: &Segment,
    tokenizer: &CorpusTokenizer,
    sidecars: &Path,
    threads: usize,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<(), AssembleError> {
    fs::create_dir_all(sidecars).map_err(AssembleError::io(sidecars))?;
    let digest = segment.digest()?;
    let part = CountedPart { part: segment, digest: &digest, documents: segment.rows };
    let request = CountRequest {
        tokenizer,
        with_ids: false,
        dir: sidecars,
        threads,
        keep_going,
        on_progress: &|_, _| {},
    };
    Tokens::count_all(&request, &[part], &|_| Wanted::Whole).map(|_| ())
}

/// Says whose the lengths in tokens are.
pub(crate) fn counted_by(tokenizer: &TokenizerFacts) -> String {
    format!("tokenizer {}: of the text alone, without special tokens", tokenizer.name)
}
