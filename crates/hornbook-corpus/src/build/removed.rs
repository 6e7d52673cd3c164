//! `removed.jsonl`: one line for every document that is not in the corpus.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use hornbook_types::CorpusFile;
use serde::Serialize;

use crate::assemble::{FactFile, Fate, Part, Row};
use crate::error::AssembleError;
use crate::hashing::{Hashing, create};

/// Path of the account of dropped documents below a corpus.
pub(crate) const REMOVED_PATH: &str = "removed.jsonl";

/// A document that is not in the corpus.
#[derive(Serialize)]
struct Removed<'a> {
    id: &'a str,
    reason: &'a str,
    /// The document that stays in its place, where there is one.
    root: Option<String>,
}

/// Writes dropped documents in the order of the input.
///
/// Parts are those of the corpus, then those of other corpora.
pub(super) struct RemovedWriter<'a> {
    path: PathBuf,
    out: BufWriter<Hashing<File>>,
    lines: u64,
    parts: &'a [&'a dyn Part],
    facts: &'a [FactFile],
    /// The first number of each part.
    starts: Vec<u64>,
}

impl<'a> RemovedWriter<'a> {
    pub(super) fn create(
        place: &Path,
        parts: &'a [&'a dyn Part],
        facts: &'a [FactFile],
    ) -> Result<Self, AssembleError> {
        let path = place.join(REMOVED_PATH);
        let out = BufWriter::new(create(&path)?);
        let starts = facts
            .iter()
            .scan(0, |next, file| {
                let start = *next;
                *next += file.totals.documents;
                Some(start)
            })
            .collect();
        Ok(Self { path, out, lines: 0, parts, facts, starts })
    }

    pub(super) fn write(&mut self, row: &Row, fate: Fate) -> Result<(), AssembleError> {
        let Some(reason) = fate.reason() else { return Ok(()) };
        let root = fate.root().map(|root| self.id_of(u64::from(root))).transpose()?;
        let line = Removed { id: &row.row.id, reason, root };
        let json =
            serde_json::to_vec(&line).map_err(|error| AssembleError::Row(error.to_string()))?;
        self.lines += 1;
        let written = self.out.write_all(&json).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(AssembleError::io(&self.path))
    }

    /// The id of any document: only the first reading knows those that are still to come.
    fn id_of(&self, number: u64) -> Result<String, AssembleError> {
        let after = self.starts.partition_point(|&start| start <= number);
        let Some(part) = after.checked_sub(1) else { return Ok(String::new()) };
        let row = number - self.starts[part];
        let own = self.facts[part].own_id(row)?;
        Ok(own.unwrap_or_else(|| self.parts[part].default_id(row)))
    }

    pub(super) fn finish(self) -> Result<CorpusFile, AssembleError> {
        let Self { path, out, lines, .. } = self;
        let out = out.into_inner().map_err(|error| AssembleError::io(&path)(error.into_error()))?;
        let (_, bytes, sha256) = out.finish();
        let path = REMOVED_PATH.to_owned();
        Ok(CorpusFile { path, bytes, sha256, rows: Some(lines), tokens: None })
    }
}
