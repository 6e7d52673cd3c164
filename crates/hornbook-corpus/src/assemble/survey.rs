//! The first reading: what decisions need of every document, found on all threads.

use std::path::Path;
use std::time::Duration;

use hornbook_types::GateSpec;
use serde::Serialize;

use super::column::{Column, ColumnWriter};
use super::examine::{Batch, Examined, Wants};
use super::fact::Fact;
use super::fact_file::{FACT_FILES, FactFile, LEAK_FILES, SIGNATURE_FILES, facts_of};
use super::limits::{BATCH_BYTES, BATCH_DOCUMENTS};
use super::ordered::ordered;
use super::part::{Part, Rows};
use super::wanted::WantedBenchmarks;
use super::work::Work;
use crate::error::AssembleError;
use crate::hashing::sha256_hex;
use crate::mix::Classes;
use crate::near::{NearScheme, Signer};

/// Changes whenever facts mean something else than before.
const SCHEME: u32 = 4;

/// The processor's time: what the calling thread took, and what the whole process took.
#[derive(Clone, Copy)]
pub struct CpuTime<'a> {
    /// Of the calling thread.
    pub thread: &'a (dyn Fn() -> Duration + Sync),
    /// Of the process with all its threads.
    pub process: &'a (dyn Fn() -> Duration + Sync),
}

impl CpuTime<'_> {
    /// No time at all, for those who do not want to know.
    pub const UNKNOWN: CpuTime<'static> =
        CpuTime { thread: &|| Duration::ZERO, process: &|| Duration::ZERO };
}

/// What is asked of every document.
#[derive(Clone, Copy)]
pub(crate) struct Survey<'a> {
    pub(crate) gates: Option<&'a GateSpec>,
    /// How texts are signed; they are not without.
    pub(crate) near: Option<NearScheme>,
    /// What is looked for in them.
    pub(crate) benchmarks: Option<&'a WantedBenchmarks>,
    pub(crate) threads: usize,
    pub(crate) cpu: CpuTime<'a>,
    pub(crate) keep_going: &'a (dyn Fn() -> bool + Sync),
}

/// Names of columns: each holds everything that its column depends on, and nothing else, so that another
/// setting costs only what depends on it.
struct Keys {
    facts: String,
    signatures: Option<String>,
    leaks: Option<String>,
}

/// The columns of a part, as far as they are there.
struct Columns {
    facts: Option<Column>,
    signatures: Option<Column>,
    leaks: Option<Column>,
}

impl Survey<'_> {
    /// What is known of a part, from `dir` as far as it was found out before; the rest is found now and kept there.
    pub(crate) fn facts(
        &self,
        part: &dyn Part,
        digest: &str,
        dir: &Path,
        work: &mut Work,
    ) -> Result<FactFile, AssembleError> {
        let keys = self.keys(digest)?;
        let mut there = Columns {
            facts: Column::find(dir, &keys.facts, &FACT_FILES)?,
            signatures: find(dir, keys.signatures.as_deref(), &SIGNATURE_FILES)?,
            leaks: find(dir, keys.leaks.as_deref(), &LEAK_FILES)?,
        };
        let wants = Wants {
            facts: there.facts.is_none(),
            signatures: keys.signatures.is_some() && there.signatures.is_none(),
            leaks: keys.leaks.is_some() && there.leaks.is_none(),
        };
        work.documents_reused += there.facts.as_ref().map_or(0, |facts| facts.totals.documents);
        if wants.anything() {
            let mut writers = Writers::create(dir, &keys, wants)?;
            self.read(part, there.facts.as_ref(), wants, &mut writers, work)?;
            writers.finish(&mut there)?;
        }
        let Columns { facts, signatures, leaks } = there;
        let facts = facts.ok_or_else(|| AssembleError::Row("facts were not kept".to_owned()))?;
        Ok(FactFile::new(facts, signatures, leaks))
    }

    fn keys(&self, digest: &str) -> Result<Keys, AssembleError> {
        // How many documents may begin alike is decided later, from how each begins.
        let gates = self.gates.map(|gates| GateSpec { max_opening_share: None, ..gates.clone() });
        let facts = key(&("facts", SCHEME, digest, &gates))?;
        let signatures = self.near.map(|near| key(&("signatures", near.id(), &facts)));
        let leaks = self.benchmarks.map(|wanted| key(&("leaks", wanted.digest(), &facts)));
        Ok(Keys { signatures: signatures.transpose()?, leaks: leaks.transpose()?, facts })
    }

    fn read(
        &self,
        part: &dyn Part,
        known: Option<&Column>,
        wants: Wants,
        writers: &mut Writers,
        work: &mut Work,
    ) -> Result<(), AssembleError> {
        let mut rows = part.rows(0)?;
        let mut known = known.map(facts_of).transpose()?;
        let mut known = known.as_mut().map(|facts| facts as &mut KnownFacts<'_>);
        ordered(
            self.threads,
            || self.next_batch(&mut rows, known.as_deref_mut()),
            || {
                let mut signer = self.near.filter(|_| wants.signatures).map(Signer::new);
                move |batch: Batch| self.examine(&batch, wants, signer.as_mut())
            },
            |examined| {
                work.note(&examined, wants);
                writers.write(&examined)
            },
        )
    }

    fn next_batch(
        &self,
        rows: &mut Rows<'_>,
        known: Option<&mut KnownFacts<'_>>,
    ) -> Result<Option<Batch>, AssembleError> {
        if !(self.keep_going)() {
            return Err(AssembleError::Stopped);
        }
        let began = (self.cpu.thread)();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < BATCH_DOCUMENTS {
            let Some(row) = rows.next().transpose()? else { break };
            bytes += row.row.text.len() + row.row.prompt.len();
            batch.push(row);
        }
        let known = match known {
            Some(facts) => Some(facts.take(batch.len()).collect::<Result<Vec<Fact>, _>>()?),
            None => None,
        };
        if known.as_ref().is_some_and(|known| known.len() != batch.len()) {
            return Err(AssembleError::Row("there are more than at first".to_owned()));
        }
        let reading = (self.cpu.thread)().saturating_sub(began);
        Ok((!batch.is_empty()).then_some(Batch { rows: batch, known, reading }))
    }
}

type KnownFacts<'a> = dyn Iterator<Item = Result<Fact, AssembleError>> + Send + 'a;

fn key(settings: &impl Serialize) -> Result<String, AssembleError> {
    let json =
        serde_json::to_vec(settings).map_err(|error| AssembleError::Row(error.to_string()))?;
    Ok(sha256_hex(&json))
}

fn find(dir: &Path, key: Option<&str>, names: &[&str]) -> Result<Option<Column>, AssembleError> {
    key.map_or(Ok(None), |key| Column::find(dir, key, names))
}

/// The columns that are being written.
struct Writers {
    facts: Option<ColumnWriter>,
    signatures: Option<ColumnWriter>,
    leaks: Option<ColumnWriter>,
    classes: Classes,
    id_end: u64,
    row: u64,
}

impl Writers {
    fn create(dir: &Path, keys: &Keys, wants: Wants) -> Result<Self, AssembleError> {
        let create = |wanted: bool, key: Option<&str>, names: &[&str]| {
            let key = key.filter(|_| wanted);
            key.map(|key| ColumnWriter::create(dir, key, names)).transpose()
        };
        Ok(Self {
            facts: create(wants.facts, Some(&keys.facts), &FACT_FILES)?,
            signatures: create(wants.signatures, keys.signatures.as_deref(), &SIGNATURE_FILES)?,
            leaks: create(wants.leaks, keys.leaks.as_deref(), &LEAK_FILES)?,
            classes: Classes::default(),
            id_end: 0,
            row: 0,
        })
    }

    fn write(&mut self, examined: &Examined) -> Result<(), AssembleError> {
        let documents = examined.facts.len() as u64;
        if let Some(column) = &mut self.facts {
            let documents_of = examined.facts.iter().zip(&examined.own_ids);
            for ((fact, own_id), class) in documents_of.zip(&examined.classes) {
                let id = own_id.as_deref().unwrap_or_default().as_bytes();
                self.id_end += id.len() as u64;
                column.write(1, id)?;
                let class = self.classes.number(class);
                column.write(0, &Fact { id_end: self.id_end, class, ..*fact }.to_bytes())?;
            }
            column.totals.documents += documents;
            column.totals.estimated += examined.estimated;
            column.totals.dedup_nanos += nanos(examined.hashing);
        }
        if let Some(column) = &mut self.signatures {
            column.write(0, &examined.signatures)?;
            column.totals.documents += documents;
            column.totals.dedup_nanos += nanos(examined.signing);
        }
        if let Some(column) = &mut self.leaks {
            for (offset, hits) in &examined.hits {
                let row = self.row + *offset as u64;
                column.write(0, &row.to_le_bytes())?;
                let line = serde_json::to_string(&(row, hits));
                let line = line.map_err(|error| AssembleError::Row(error.to_string()))?;
                column.write(1, line.as_bytes())?;
                column.write(1, b"\n")?;
            }
            column.totals.documents += documents;
            column.totals.decontaminate_nanos += nanos(examined.searching);
        }
        self.row += documents;
        Ok(())
    }

    fn finish(self, there: &mut Columns) -> Result<(), AssembleError> {
        let Self { mut facts, signatures, leaks, classes, .. } = self;
        if let Some(facts) = &mut facts {
            let json = serde_json::to_vec(classes.list());
            facts.write(2, &json.map_err(|error| AssembleError::Row(error.to_string()))?)?;
        }
        for (writer, place) in [
            (facts, &mut there.facts),
            (signatures, &mut there.signatures),
            (leaks, &mut there.leaks),
        ] {
            if let Some(writer) = writer {
                *place = Some(writer.finish()?);
            }
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
