//! Facts of one part in files, kept so that a second attempt need not read the texts again.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fact::{FACT_BYTES, Fact};
use super::limits::FACTS_BUFFER_BYTES;
use crate::error::AssembleError;

/// Counts of a part whose facts are complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FactTotals {
    /// Documents.
    pub(crate) documents: u64,
    /// Documents whose length in tokens is an estimate.
    pub(crate) estimated: u64,
    /// Processor time that reading, hashing and signing took, in nanoseconds.
    pub(crate) dedup_nanos: u64,
    /// Processor time that looking for benchmarks took, in nanoseconds.
    pub(crate) decontaminate_nanos: u64,
}

/// The complete facts of one part.
#[derive(Clone, Debug)]
pub(crate) struct FactFile {
    stem: PathBuf,
    pub(crate) totals: FactTotals,
}

/// One kind of file under a stem.
fn kind(stem: &Path, name: &str) -> PathBuf {
    stem.with_extension(name)
}

const FACTS: &str = "facts";
const IDS: &str = "ids";
const SIGNATURES: &str = "signatures";
const HITS: &str = "hits";
const TOTALS: &str = "json";

impl FactFile {
    /// The facts kept under `key` in `dir`, if they are complete.
    pub(crate) fn find(dir: &Path, key: &str) -> Result<Option<Self>, AssembleError> {
        let stem = dir.join(key);
        let path = kind(&stem, TOTALS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(AssembleError::io(&path)(error)),
        };
        let Ok(totals) = serde_json::from_slice::<FactTotals>(&bytes) else { return Ok(None) };
        let length = |name| fs::metadata(kind(&stem, name)).map_or(0, |file| file.len());
        let whole = length(FACTS) == totals.documents * FACT_BYTES as u64;
        Ok(whole.then_some(Self { stem, totals }))
    }

    /// Every fact in order.
    pub(crate) fn facts(
        &self,
    ) -> Result<impl Iterator<Item = Result<Fact, AssembleError>> + use<>, AssembleError> {
        let path = kind(&self.stem, FACTS);
        let file = File::open(&path).map_err(AssembleError::io(&path))?;
        let mut file = BufReader::with_capacity(FACTS_BUFFER_BYTES, file);
        Ok((0..self.totals.documents).map(move |_| {
            let mut bytes = [0; FACT_BYTES];
            file.read_exact(&mut bytes).map_err(AssembleError::io(&path))?;
            Ok(Fact::from_bytes(&bytes))
        }))
    }

    /// Every signature in order, of so many bytes each.
    pub(crate) fn signatures(
        &self,
        bytes_each: usize,
    ) -> Result<impl FnMut(&mut Vec<u8>) -> Result<(), AssembleError> + use<>, AssembleError> {
        let path = kind(&self.stem, SIGNATURES);
        let file = File::open(&path).map_err(AssembleError::io(&path))?;
        let mut file = BufReader::with_capacity(FACTS_BUFFER_BYTES, file);
        Ok(move |signature: &mut Vec<u8>| {
            signature.resize(bytes_each, 0);
            file.read_exact(signature).map_err(AssembleError::io(&path))
        })
    }

    /// What was found of benchmarks: lines of JSON, each with the row that it is about.
    pub(crate) fn hits(&self) -> Result<BufReader<File>, AssembleError> {
        let path = kind(&self.stem, HITS);
        File::open(&path).map(BufReader::new).map_err(AssembleError::io(&path))
    }

    /// The id that a row has of its own, if any.
    pub(crate) fn own_id(&self, row: u64) -> Result<Option<String>, AssembleError> {
        let end_of = |row: u64| self.fact(row).map(|fact| fact.id_end);
        let start = if row == 0 { 0 } else { end_of(row - 1)? };
        let end = end_of(row)?;
        if end <= start {
            return Ok(None);
        }
        let path = kind(&self.stem, IDS);
        let mut id = vec![0; usize::try_from(end - start).unwrap_or(0)];
        read_at(&path, start, &mut id)?;
        Ok(Some(String::from_utf8_lossy(&id).into_owned()))
    }

    fn fact(&self, row: u64) -> Result<Fact, AssembleError> {
        let mut bytes = [0; FACT_BYTES];
        read_at(&kind(&self.stem, FACTS), row * FACT_BYTES as u64, &mut bytes)?;
        Ok(Fact::from_bytes(&bytes))
    }
}

fn read_at(path: &Path, at: u64, bytes: &mut [u8]) -> Result<(), AssembleError> {
    let read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes)
    };
    let mut read = read;
    read().map_err(AssembleError::io(path))
}

/// Writes the facts of one part; they count once `finish` has returned.
pub(crate) struct FactWriter {
    stem: PathBuf,
    facts: BufWriter<File>,
    ids: BufWriter<File>,
    signatures: BufWriter<File>,
    hits: BufWriter<File>,
    id_end: u64,
    pub(crate) totals: FactTotals,
}

impl FactWriter {
    /// Begins the facts of `key` in `dir`, which must exist.
    pub(crate) fn create(dir: &Path, key: &str) -> Result<Self, AssembleError> {
        let stem = dir.join(key);
        let create = |name| {
            let path = kind(&stem, name);
            let file = File::create(&path).map_err(AssembleError::io(&path))?;
            Ok(BufWriter::with_capacity(FACTS_BUFFER_BYTES, file))
        };
        Ok(Self {
            facts: create(FACTS)?,
            ids: create(IDS)?,
            signatures: create(SIGNATURES)?,
            hits: create(HITS)?,
            id_end: 0,
            totals: FactTotals::default(),
            stem,
        })
    }

    /// Appends the next document; its `id_end` is filled in here.
    pub(crate) fn write(
        &mut self,
        mut fact: Fact,
        own_id: Option<&str>,
        signature: &[u8],
        hits: Option<&str>,
    ) -> Result<(), AssembleError> {
        if let Some(id) = own_id {
            self.id_end += id.len() as u64;
            let path = kind(&self.stem, IDS);
            self.ids.write_all(id.as_bytes()).map_err(AssembleError::io(&path))?;
        }
        fact.id_end = self.id_end;
        let path = kind(&self.stem, FACTS);
        self.facts.write_all(&fact.to_bytes()).map_err(AssembleError::io(&path))?;
        let path = kind(&self.stem, SIGNATURES);
        self.signatures.write_all(signature).map_err(AssembleError::io(&path))?;
        if let Some(hits) = hits {
            let path = kind(&self.stem, HITS);
            writeln!(self.hits, "{hits}").map_err(AssembleError::io(&path))?;
        }
        self.totals.documents += 1;
        Ok(())
    }

    /// Completes them: everything else first, then the totals, which say that it is there.
    pub(crate) fn finish(self) -> Result<FactFile, AssembleError> {
        let Self { stem, facts, ids, signatures, hits, id_end: _, totals } = self;
        for (name, file) in [(FACTS, facts), (IDS, ids), (SIGNATURES, signatures), (HITS, hits)] {
            let path = kind(&stem, name);
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error);
            // A machine that dies must not leave totals of facts that were never stored.
            file.and_then(|file| file.sync_all()).map_err(AssembleError::io(&path))?;
        }
        let json =
            serde_json::to_vec(&totals).map_err(|error| AssembleError::Row(error.to_string()))?;
        let (path, temporary) = (kind(&stem, TOTALS), kind(&stem, "tmp"));
        fs::write(&temporary, json).map_err(AssembleError::io(&temporary))?;
        fs::rename(&temporary, &path).map_err(AssembleError::io(&path))?;
        Ok(FactFile { stem, totals })
    }
}
