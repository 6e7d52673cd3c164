//! Everything that is known of one part's documents, in three columns.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::column::{Column, ColumnTotals};
use super::fact::{FACT_BYTES, Fact};
use crate::error::AssembleError;
use crate::mix::Class;

/// Files of the column of facts: one record a document, the ids that documents have of their own, and their classes.
pub(super) const FACT_FILES: [&str; 3] = ["facts", "ids", "classes"];
/// The file of the column of signatures, as many bytes a document as the scheme says.
pub(super) const SIGNATURE_FILES: [&str; 1] = ["signatures"];
/// Files of the column of leaks: rows that hold any, and for each of them a line of JSON.
pub(super) const LEAK_FILES: [&str; 2] = ["leaks", "hits"];

/// What is known of a part's documents.
#[derive(Clone, Debug)]
pub(crate) struct FactFile {
    facts: Column,
    signatures: Option<Column>,
    leaks: Option<Column>,
    pub(crate) totals: ColumnTotals,
}

impl FactFile {
    /// Puts columns of the same part together.
    pub(super) fn new(facts: Column, signatures: Option<Column>, leaks: Option<Column>) -> Self {
        let mut totals = facts.totals.clone();
        for more in [&signatures, &leaks].into_iter().flatten() {
            totals.dedup_nanos += more.totals.dedup_nanos;
            totals.decontaminate_nanos += more.totals.decontaminate_nanos;
        }
        Self { facts, signatures, leaks, totals }
    }

    /// Every fact in order.
    pub(crate) fn facts(
        &self,
    ) -> Result<impl Iterator<Item = Result<Fact, AssembleError>> + Send + use<>, AssembleError>
    {
        facts_of(&self.facts)
    }

    /// What the columns of documents hold, by the number in their facts.
    pub(crate) fn classes(&self) -> Result<Vec<Class>, AssembleError> {
        let file = self.facts.open(FACT_FILES[2])?;
        let path = self.facts.path(FACT_FILES[2]);
        serde_json::from_reader(file).map_err(|error| AssembleError::io(&path)(error.into()))
    }

    /// Every signature in order, of so many bytes each.
    pub(crate) fn signatures(
        &self,
        bytes_each: usize,
    ) -> Result<impl FnMut(&mut Vec<u8>) -> Result<(), AssembleError> + use<>, AssembleError> {
        let column = self.signatures.as_ref().ok_or_else(|| missing("signatures"))?;
        let path = column.path(SIGNATURE_FILES[0]);
        let mut file = column.open(SIGNATURE_FILES[0])?;
        Ok(move |signature: &mut Vec<u8>| {
            signature.resize(bytes_each, 0);
            file.read_exact(signature).map_err(AssembleError::io(&path))
        })
    }

    /// The rows that hold an item of a benchmark, in order.
    pub(crate) fn leaks(
        &self,
    ) -> Result<impl Iterator<Item = Result<u64, AssembleError>> + use<>, AssembleError> {
        let open = self.leaks.as_ref().map(|column| {
            let path = column.path(LEAK_FILES[0]);
            Ok((path, column.open(LEAK_FILES[0])?))
        });
        let mut open: Option<(std::path::PathBuf, BufReader<File>)> = open.transpose()?;
        Ok(std::iter::from_fn(move || {
            let (path, file) = open.as_mut()?;
            let mut row = [0; 8];
            match file.read_exact(&mut row) {
                Ok(()) => Some(Ok(u64::from_le_bytes(row))),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
                Err(error) => Some(Err(AssembleError::io(path)(error))),
            }
        }))
    }

    /// What was found of benchmarks: lines of JSON, each with the row that it is about.
    pub(crate) fn hits(&self) -> Result<BufReader<File>, AssembleError> {
        self.leaks.as_ref().ok_or_else(|| missing("leaks"))?.open(LEAK_FILES[1])
    }

    /// The id that a row has of its own, if any.
    pub(crate) fn own_id(&self, row: u64) -> Result<Option<String>, AssembleError> {
        let end_of = |row: u64| self.fact(row).map(|fact| fact.id_end);
        let start = if row == 0 { 0 } else { end_of(row - 1)? };
        let end = end_of(row)?;
        if end <= start {
            return Ok(None);
        }
        let mut id = vec![0; usize::try_from(end - start).unwrap_or(0)];
        read_at(&self.facts.path(FACT_FILES[1]), start, &mut id)?;
        Ok(Some(String::from_utf8_lossy(&id).into_owned()))
    }

    fn fact(&self, row: u64) -> Result<Fact, AssembleError> {
        let mut bytes = [0; FACT_BYTES];
        read_at(&self.facts.path(FACT_FILES[0]), row * FACT_BYTES as u64, &mut bytes)?;
        Ok(Fact::from_bytes(&bytes))
    }
}

/// Every fact of a column of facts, in order.
pub(super) fn facts_of(
    column: &Column,
) -> Result<impl Iterator<Item = Result<Fact, AssembleError>> + Send + use<>, AssembleError> {
    let path = column.path(FACT_FILES[0]);
    let mut file = column.open(FACT_FILES[0])?;
    Ok((0..column.totals.documents).map(move |_| {
        let mut bytes = [0; FACT_BYTES];
        file.read_exact(&mut bytes).map_err(AssembleError::io(&path))?;
        Ok(Fact::from_bytes(&bytes))
    }))
}

fn missing(what: &str) -> AssembleError {
    AssembleError::Row(format!("nobody found the {what} of a part"))
}

fn read_at(path: &Path, at: u64, bytes: &mut [u8]) -> Result<(), AssembleError> {
    let mut read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes)
    };
    read().map_err(AssembleError::io(path))
}
