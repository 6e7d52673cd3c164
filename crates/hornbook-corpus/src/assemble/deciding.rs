//! Who stays: everything that is known of all documents comes together.

use std::path::Path;

use hornbook_types::{AssemblySpec, DedupMode, GateSpec, MixSpec};

use super::column::ColumnTotals;
use super::decide::{Fate, Ledger};
use super::fact_file::FactFile;
use super::near::drop_near;
use super::part::Part;
use super::survey::Survey;
use super::work::Work;
use crate::error::AssembleError;
use crate::gates::OpeningCap;
use crate::mix::{Arrangement, Arranger};

/// How it is decided, and where.
pub(crate) struct Deciding<'a> {
    pub(crate) survey: Survey<'a>,
    /// Which duplicates go, and the splits.
    pub(crate) assembly: &'a AssemblySpec,
    /// How much there is to be of which part, by what sources call them.
    pub(crate) mix: Option<&'a MixSpec>,
    /// Gates whose cap on openings holds; the others are the survey's.
    pub(crate) gates: Option<&'a GateSpec>,
    /// Says by number which documents of a segment belong to the corpus.
    pub(crate) takes: &'a dyn Fn(u64) -> bool,
    /// Where what is known of a part is kept, for this assembly and others.
    pub(crate) sidecars: &'a Path,
    /// Where near deduplication works; nothing stays there.
    pub(crate) scratch: &'a Path,
}

/// A piece of the input and the SHA-256 of its content.
pub(crate) type Digested<'a> = (&'a dyn Part, String);

/// What was decided, and what is known of every part.
pub(crate) struct Decided {
    pub(crate) ledger: Ledger,
    /// Of the parts, then of those of other corpora.
    pub(crate) facts: Vec<FactFile>,
    /// Of the parts alone.
    pub(crate) totals: ColumnTotals,
    /// Splits, repetition and order of what stays.
    pub(crate) arrangement: Arrangement,
    /// Processor time of deciding, in nanoseconds.
    pub(crate) nanos: u64,
    pub(crate) work: Work,
}

impl Deciding<'_> {
    /// Decides about the documents of `parts`; whatever is in `against` too goes.
    pub(crate) fn decide(
        &self,
        parts: &[Digested<'_>],
        against: &[Digested<'_>],
    ) -> Result<Decided, AssembleError> {
        let mut work = Work::default();
        let mut totals = ColumnTotals::default();
        let mut facts = Vec::with_capacity(parts.len() + against.len());
        for (part, digest) in parts {
            let file = self.survey.facts(*part, digest, self.sidecars, &mut work)?;
            totals.documents += file.totals.documents;
            totals.estimated += file.totals.estimated;
            totals.dedup_nanos += file.totals.dedup_nanos;
            totals.decontaminate_nanos += file.totals.decontaminate_nanos;
            facts.push(file);
        }
        // Nobody asks whether another corpus's documents are good.
        let plain = Survey { gates: None, benchmarks: None, ..self.survey };
        for (part, digest) in against {
            facts.push(plain.facts(*part, digest, self.sidecars, &mut work)?);
        }
        let began = (self.survey.cpu.process)();
        let mut arranger = Arranger::new(self.assembly, self.mix);
        let mut ledger = self.ledger(&facts, parts, &mut arranger)?;
        ledger.decide_exact(self.assembly.dedup);
        if self.assembly.dedup == DedupMode::Near {
            let all: Vec<&dyn Part> = parts.iter().chain(against).map(|it| it.0).collect();
            let threads = self.survey.threads;
            arranger.join(&drop_near(&mut ledger, &all, &facts, self.scratch, threads)?);
        }
        ledger.drop_contaminated();
        let arrangement = arranger.arrange(&mut ledger)?;
        let took = (self.survey.cpu.process)().saturating_sub(began);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        Ok(Decided { ledger, facts, totals, arrangement, nanos, work })
    }

    /// Everything that is known, and the cap on openings, which needs nothing but the order of documents.
    fn ledger(
        &self,
        facts: &[FactFile],
        parts: &[Digested<'_>],
        arranger: &mut Arranger<'_>,
    ) -> Result<Ledger, AssembleError> {
        let mut ledger = Ledger::default();
        let mut cap = self.gates.and_then(OpeningCap::of);
        for (place, file) in facts.iter().enumerate() {
            let Some((part, _)) = parts.get(place) else {
                for fact in file.facts()? {
                    ledger.push_reference(&fact?)?;
                }
                continue;
            };
            let first = ledger.len();
            let shelf = arranger.shelf(part.source(), &file.classes()?);
            for fact in file.facts()? {
                let fact = fact?;
                let number = ledger.push(&fact, (self.takes)(fact.seq))?;
                arranger.push(&fact, &shelf)?;
                if ledger.fate(number) == Fate::Stays
                    && let Some(cap) = &mut cap
                    && !cap.take_key(fact.opening)
                {
                    ledger.drop_common_opening(number);
                }
            }
            for row in file.leaks()? {
                let number = first.saturating_add(row?);
                if number < ledger.len() {
                    ledger.note_leak(number as u32);
                }
            }
        }
        Ok(ledger)
    }
}
