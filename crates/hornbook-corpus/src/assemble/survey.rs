//! The first reading: what decisions need of every document, found on all threads.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use hornbook_types::{
    AudienceSpec, FinishReason, GateSpec, GradeRange, OutputKind, Reason, TokenRange,
};
use serde_json::{Map, Value};

use super::fact::Fact;
use super::fact_file::{FactFile, FactWriter};
use super::limits::{BATCH_BYTES, BATCH_DOCUMENTS};
use super::ordered::ordered;
use super::part::{Part, Row, Rows};
use crate::decontaminate::Decontaminator;
use crate::dedup::text_hash;
use crate::error::AssembleError;
use crate::gates::{Answer, judge};
use crate::hashing::sha256_hex;
use crate::near::{NearScheme, Signer};

/// Changes whenever facts mean something else than before.
const SCHEME: u32 = 2;

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
    /// What is looked for in them, and a name for exactly that.
    pub(crate) benchmarks: Option<(&'a Decontaminator, &'a str)>,
    pub(crate) threads: usize,
    pub(crate) cpu: CpuTime<'a>,
    pub(crate) keep_going: &'a (dyn Fn() -> bool + Sync),
}

/// What was found of some documents in a row.
struct Examined {
    documents: Vec<Document>,
    estimated: u64,
    dedup: Duration,
    decontaminate: Duration,
}

struct Document {
    fact: Fact,
    own_id: Option<String>,
    signature: Vec<u8>,
    hits: Option<String>,
}

struct Batch {
    rows: Vec<Row>,
    reading: Duration,
}

impl Survey<'_> {
    /// The facts of a part, from `dir` if they were found before.
    pub(crate) fn facts(
        &self,
        part: &dyn Part,
        digest: &str,
        dir: &Path,
    ) -> Result<FactFile, AssembleError> {
        let key = self.key(digest)?;
        if let Some(facts) = FactFile::find(dir, &key)? {
            return Ok(facts);
        }
        let mut writer = FactWriter::create(dir, &key)?;
        let mut rows = part.rows(0)?;
        ordered(
            self.threads,
            || self.next_batch(&mut rows),
            || {
                let mut signer = self.near.map(Signer::new);
                move |batch: Batch| self.examine(&batch, signer.as_mut())
            },
            |examined| write(&mut writer, &examined),
        )?;
        writer.finish()
    }

    /// Facts found under other settings are other facts.
    fn key(&self, digest: &str) -> Result<String, AssembleError> {
        let near = self.near.map(NearScheme::id);
        let benchmarks = self.benchmarks.map(|(_, name)| name);
        let settings = serde_json::to_string(&(SCHEME, digest, self.gates, near, benchmarks))
            .map_err(|error| AssembleError::Row(error.to_string()))?;
        Ok(sha256_hex(settings.as_bytes()))
    }

    fn next_batch(&self, rows: &mut Rows<'_>) -> Result<Option<Batch>, AssembleError> {
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
        let reading = (self.cpu.thread)().saturating_sub(began);
        Ok((!batch.is_empty()).then_some(Batch { rows: batch, reading }))
    }

    fn examine(
        &self,
        batch: &Batch,
        mut signer: Option<&mut Signer>,
    ) -> Result<Examined, AssembleError> {
        let began = (self.cpu.thread)();
        let mut estimated = 0;
        let mut documents = Vec::with_capacity(batch.rows.len());
        for row in &batch.rows {
            estimated += u64::from(!row.has_own_tokens);
            documents.push(self.document(row, signer.as_deref_mut()));
        }
        let dedup = batch.reading + (self.cpu.thread)().saturating_sub(began);
        let began = (self.cpu.thread)();
        if let Some((decontaminator, _)) = self.benchmarks {
            for (document, row) in documents.iter_mut().zip(&batch.rows) {
                document.look_for(decontaminator, row)?;
            }
        }
        let decontaminate = (self.cpu.thread)().saturating_sub(began);
        Ok(Examined { documents, estimated, dedup, decontaminate })
    }

    fn document(&self, row: &Row, signer: Option<&mut Signer>) -> Document {
        let text = &row.row.text;
        let (bytes, gate) = self.gates.map_or((text.len(), None), |gates| passed(gates, row));
        let kept = text.get(..bytes).unwrap_or(text);
        let fact = Fact {
            hash: text_hash(kept),
            seq: row.row.seq,
            id_end: 0,
            score: row.score.unwrap_or(f32::NAN),
            kept_bytes: u32::try_from(kept.len()).unwrap_or(u32::MAX),
            gate: gate.map_or(0, number_of),
            contaminated: false,
            trimmed: kept.len() < text.len(),
        };
        let own_id = row.has_own_id.then(|| row.row.id.clone());
        let signature = signer.map_or_else(Vec::new, |signer| signer.sign(kept).to_bytes());
        Document { fact, own_id, signature, hits: None }
    }
}

impl Document {
    /// Looks for benchmarks in what the gates let through.
    fn look_for(&mut self, wanted: &Decontaminator, row: &Row) -> Result<(), AssembleError> {
        if self.fact.gate != 0 {
            return Ok(());
        }
        let text = row.row.text.get(..self.fact.kept_bytes as usize).unwrap_or(&row.row.text);
        let hits = wanted.check(text);
        if !hits.is_empty() {
            self.fact.contaminated = true;
            let line = serde_json::to_string(&(self.fact.seq, hits));
            self.hits = Some(line.map_err(|error| AssembleError::Row(error.to_string()))?);
        }
        Ok(())
    }
}

fn write(writer: &mut FactWriter, examined: &Examined) -> Result<(), AssembleError> {
    for document in &examined.documents {
        let Document { fact, own_id, signature, hits } = document;
        writer.write(*fact, own_id.as_deref(), signature, hits.as_deref())?;
    }
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    writer.totals.estimated += examined.estimated;
    writer.totals.dedup_nanos += nanos(examined.dedup);
    writer.totals.decontaminate_nanos += nanos(examined.decontaminate);
    Ok(())
}

/// Bytes of a document's beginning that the gates let through, and the gate that refused it.
fn passed(gates: &GateSpec, row: &Row) -> (usize, Option<Reason>) {
    let reason = finish_reason(&row.row.finish_reason);
    // A file without seeds has nothing that a text could recite.
    let seed: Map<String, Value> = serde_json::from_str(&row.row.seed_data).unwrap_or_default();
    let answer = Answer {
        prompt: &row.row.prompt,
        text: &row.row.text,
        seed: &seed,
        finish_reason: &reason,
        completion_tokens: u64::from(row.row.token_length),
        output: OutputKind::Text,
    };
    let judgement = judge(gates, &any_audience(), answer);
    // Masking is for answers that arrive; a file's text is kept as far as the gates let it through.
    let kept = match judgement.text {
        Cow::Borrowed(text) => text.len(),
        Cow::Owned(_) => row.row.text.len(),
    };
    (kept, judgement.reason)
}

/// A file that does not say why its texts end means that they end by themselves.
fn finish_reason(word: &str) -> FinishReason {
    if word.is_empty() { FinishReason::Stop } else { FinishReason::from(word.to_owned()) }
}

/// Nobody knows whom the documents of a file are for: no length is too short or too long for them.
fn any_audience() -> AudienceSpec {
    AudienceSpec {
        title: String::new(),
        rank: None,
        reader: String::new(),
        instructions: Vec::new(),
        vocabulary: String::new(),
        leave_out: Vec::new(),
        formulas: String::new(),
        ending: String::new(),
        tokens: TokenRange { min: 0, max: u32::MAX },
        grade: GradeRange::default(),
    }
}

fn number_of(reason: Reason) -> u8 {
    let place = Reason::ALL.iter().position(|it| *it == reason);
    place.and_then(|place| u8::try_from(place + 1).ok()).unwrap_or(u8::MAX)
}

/// The gate of a number in a fact.
pub(crate) fn gate_of(number: u8) -> Option<Reason> {
    Reason::ALL.get(usize::from(number).checked_sub(1)?).copied()
}
