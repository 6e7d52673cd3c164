//! What is found out about some documents in a row, on one thread.

use std::time::Duration;

use hornbook_types::GateSpec;

use super::fact::Fact;
use super::judging::{Passed, number_of, passed};
use super::part::Row;
use super::survey::Survey;
use super::write::tokens_of;
use crate::decontaminate::Hit;
use crate::dedup::text_hash;
use crate::error::AssembleError;
use crate::gates::opening_key;
use crate::mix::{Class, margin};
use crate::near::Signer;

/// What is to be found; the rest is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    pub(super) facts: bool,
    pub(super) signatures: bool,
    pub(super) leaks: bool,
}

impl Wants {
    pub(super) fn anything(self) -> bool {
        self.facts || self.signatures || self.leaks
    }
}

/// Documents in a row.
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    /// Their facts, if they were found before.
    pub(super) known: Option<Vec<Fact>>,
    pub(super) reading: Duration,
}

/// What was found of them.
pub(super) struct Examined {
    pub(super) facts: Vec<Fact>,
    pub(super) own_ids: Vec<Option<String>>,
    /// What filters of mixes ask.
    pub(super) classes: Vec<Class>,
    /// One after the other.
    pub(super) signatures: Vec<u8>,
    /// By place in the batch.
    pub(super) hits: Vec<(usize, Vec<Hit>)>,
    /// Documents whose length in tokens is an estimate.
    pub(super) estimated: u64,
    /// Processor time of reading and hashing.
    pub(super) hashing: Duration,
    pub(super) signing: Duration,
    pub(super) searching: Duration,
}

impl Survey<'_> {
    pub(super) fn examine(
        &self,
        batch: &Batch,
        wants: Wants,
        signer: Option<&mut Signer>,
    ) -> Result<Examined, AssembleError> {
        let now = || (self.cpu.thread)();
        let judged = match &batch.known {
            Some(_) => Vec::new(),
            None => batch.rows.iter().map(|row| self.judged(row)).collect(),
        };
        let began = now();
        let facts: Vec<Fact> = match &batch.known {
            Some(known) => known.clone(),
            None => {
                batch.rows.iter().zip(judged).map(|(row, judged)| self.fact(row, &judged)).collect()
            }
        };
        let hashed = now();
        let mut signatures = Vec::new();
        if let (true, Some(signer)) = (wants.signatures, signer) {
            for (fact, row) in facts.iter().zip(&batch.rows) {
                // Nobody compares what a gate refused: it is signed like a text without words.
                let text = if fact.gate == 0 { kept(fact, row) } else { "" };
                signatures.extend_from_slice(&signer.sign(text).to_bytes());
            }
        }
        let signed = now();
        let mut hits = Vec::new();
        if let (true, Some(wanted)) = (wants.leaks, self.benchmarks) {
            for (place, (fact, row)) in facts.iter().zip(&batch.rows).enumerate() {
                if fact.gate == 0 {
                    let found = wanted.decontaminator().check(kept(fact, row));
                    if !found.is_empty() {
                        hits.push((place, found));
                    }
                }
            }
        }
        let estimated = batch.rows.iter().filter(|row| !row.has_own_tokens).count() as u64;
        let own_id = |row: &Row| row.has_own_id.then(|| row.row.id.clone());
        Ok(Examined {
            own_ids: batch.rows.iter().map(own_id).collect(),
            classes: batch.rows.iter().map(|row| Class::of(&row.row)).collect(),
            signatures,
            hits,
            estimated,
            hashing: batch.reading + hashed.saturating_sub(began),
            signing: signed.saturating_sub(hashed),
            searching: now().saturating_sub(signed),
            facts,
        })
    }

    fn judged(&self, row: &Row) -> Passed {
        let whole = || Passed { bytes: row.row.text.len(), gate: None, scores: None };
        self.gates.map_or_else(whole, |gates| passed(gates, row))
    }

    fn fact(&self, row: &Row, judged: &Passed) -> Fact {
        let text = &row.row.text;
        let kept = text.get(..judged.bytes).unwrap_or(text);
        Fact {
            hash: text_hash(kept),
            seq: row.row.seq,
            opening: opening_key(kept),
            id_end: 0,
            score: row.score.unwrap_or(f32::NAN),
            kept_bytes: u32::try_from(kept.len()).unwrap_or(u32::MAX),
            tokens: tokens_of(kept.len(), text.len(), row.row.token_length),
            margin: self.margin(row, judged),
            class: 0,
            gate: judged.gate.map_or(0, number_of),
            trimmed: kept.len() < text.len(),
        }
    }

    /// By what was measured just now, or by those who wrote the row.
    fn margin(&self, row: &Row, judged: &Passed) -> f32 {
        let defaults = GateSpec::default();
        let gates = self.gates.unwrap_or(&defaults);
        let margin = match &judged.scores {
            Some(scores) => margin(gates, scores),
            None if row.row.scores.len() > 2 => {
                serde_json::from_str(&row.row.scores).ok().and_then(|told| margin(gates, &told))
            }
            None => None,
        };
        margin.unwrap_or(f32::NAN)
    }
}

/// The text that the gates let through.
fn kept<'a>(fact: &Fact, row: &'a Row) -> &'a str {
    row.row.text.get(..fact.kept_bytes as usize).unwrap_or(&row.row.text)
}
