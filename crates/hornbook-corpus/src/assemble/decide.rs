//! Who stays, from the facts of all documents.

use hornbook_types::{DedupMode, Reason};

use super::fact::Fact;
use super::judging::gate_of;
use super::limits::DOCUMENTS_MAX;
use crate::error::AssembleError;
use crate::near::Dropped;

/// What becomes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is a row of the corpus.
    Stays,
    /// It is none of the corpus's documents, and counted nowhere.
    PassedOver,
    /// A gate refused it.
    Refused(Reason),
    /// It reads as the document of that number does.
    Exact(u32),
    /// It is similar to the document of that number.
    Near(u32),
    /// It holds an item of a benchmark.
    Contaminated,
    /// It begins as too many before it do.
    CommonOpening,
    /// It fits no line of the mix.
    NotInMix,
    /// It fits a line of the mix that has what it wants.
    MixSurplus,
}

impl Fate {
    /// Why it goes, if it does and is counted.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Stays | Self::PassedOver => None,
            Self::Refused(gate) => Some(gate.as_str()),
            Self::Exact(_) => Some(EXACT),
            Self::Near(_) => Some(NEAR),
            Self::Contaminated => Some(CONTAMINATED),
            Self::CommonOpening => Some(Reason::CommonOpening.as_str()),
            Self::NotInMix => Some(NOT_IN_MIX),
            Self::MixSurplus => Some(MIX_SURPLUS),
        }
    }

    /// The document that stays in its place.
    pub(crate) fn root(self) -> Option<u32> {
        match self {
            Self::Exact(root) | Self::Near(root) => Some(root),
            _ => None,
        }
    }
}

/// Reason of documents that read as another one does.
pub(crate) const EXACT: &str = "duplicate_exact";
/// Reason of documents that are similar to another one.
pub(crate) const NEAR: &str = "duplicate_near";
/// Reason of documents that hold an item of a benchmark.
pub(crate) const CONTAMINATED: &str = "decontaminated";
/// Reason of documents that fit no line of the mix.
pub(crate) const NOT_IN_MIX: &str = "not_in_mix";
/// Reason of documents whose line of the mix has what it wants.
pub(crate) const MIX_SURPLUS: &str = "mix_surplus";

const STAYS: u8 = 0;
const PASSED_OVER: u8 = 255;
const DUPLICATE_EXACT: u8 = 254;
const DUPLICATE_NEAR: u8 = 253;
const HOLDS_BENCHMARK: u8 = 252;
const COMMON_OPENING: u8 = 251;
const FITS_NO_LINE: u8 = 249;
const MORE_THAN_WANTED: u8 = 248;
/// A document of another corpus, which is only compared with.
const REFERENCE: u8 = 250;

/// The facts of all documents, and what follows from them; about 30 bytes a document.
#[derive(Default)]
pub(crate) struct Ledger {
    hashes: Vec<u128>,
    /// Empty as long as no document has a score.
    scores: Vec<f32>,
    contaminated: Vec<bool>,
    /// The gate's number, or one of the constants above.
    fates: Vec<u8>,
    roots: Vec<u32>,
    /// Bytes that are left of documents that were cut, by number.
    kept_bytes: Vec<(u32, u32)>,
    /// Documents of other corpora, which come after all others.
    references: u64,
}

impl Ledger {
    /// Documents of the assembly so far.
    pub(crate) fn len(&self) -> u64 {
        self.fates.len() as u64 - self.references
    }

    /// Adds the next document; it is passed over unless the corpus takes it.
    pub(crate) fn push(&mut self, fact: &Fact, takes: bool) -> Result<u32, AssembleError> {
        let fate = if takes { fact.gate } else { PASSED_OVER };
        self.push_as(fact, fate)
    }

    /// Adds a document of another corpus: what reads as it does goes. None but such may follow.
    pub(crate) fn push_reference(&mut self, fact: &Fact) -> Result<u32, AssembleError> {
        self.references += 1;
        self.push_as(&Fact { score: f32::INFINITY, ..*fact }, REFERENCE)
    }

    fn push_as(&mut self, fact: &Fact, fate: u8) -> Result<u32, AssembleError> {
        if self.fates.len() as u64 >= DOCUMENTS_MAX {
            return Err(AssembleError::Request(format!("more than {DOCUMENTS_MAX} documents")));
        }
        let number = self.fates.len() as u32;
        if !fact.score.is_nan() && self.scores.is_empty() {
            self.scores.resize(self.fates.len(), f32::NAN);
        }
        if !fact.score.is_nan() || !self.scores.is_empty() {
            self.scores.push(fact.score);
        }
        if fact.trimmed {
            self.kept_bytes.push((number, fact.kept_bytes));
        }
        self.hashes.push(fact.hash.0);
        self.contaminated.push(false);
        self.fates.push(fate);
        Ok(number)
    }

    /// Says that a document holds an item of a benchmark, before anything is decided.
    pub(crate) fn note_leak(&mut self, number: u32) {
        self.contaminated[number as usize] = true;
    }

    /// Takes a document out because too many before it begin alike.
    pub(crate) fn drop_common_opening(&mut self, number: u32) {
        self.fates[number as usize] = COMMON_OPENING;
    }

    /// Lets a document go that the mix leaves out.
    pub(crate) fn leave_out(&mut self, number: u32, fate: Fate) {
        let fits = fate == Fate::MixSurplus;
        self.fates[number as usize] = if fits { MORE_THAN_WANTED } else { FITS_NO_LINE };
    }

    /// Whether it is a document of another corpus.
    pub(crate) fn is_reference(&self, number: u32) -> bool {
        self.fates[number as usize] == REFERENCE
    }

    /// What becomes of a document.
    pub(crate) fn fate(&self, number: u32) -> Fate {
        let root = || self.roots.get(number as usize).copied().unwrap_or(number);
        match self.fates[number as usize] {
            STAYS => Fate::Stays,
            PASSED_OVER => Fate::PassedOver,
            DUPLICATE_EXACT => Fate::Exact(root()),
            DUPLICATE_NEAR => Fate::Near(root()),
            HOLDS_BENCHMARK => Fate::Contaminated,
            COMMON_OPENING => Fate::CommonOpening,
            FITS_NO_LINE => Fate::NotInMix,
            MORE_THAN_WANTED => Fate::MixSurplus,
            REFERENCE => Fate::PassedOver,
            gate => gate_of(gate).map_or(Fate::PassedOver, Fate::Refused),
        }
    }

    /// Bytes of its text that are left, if it was cut.
    pub(crate) fn kept_bytes(&self, number: u32) -> Option<usize> {
        let found = self.kept_bytes.binary_search_by_key(&number, |it| it.0);
        found.ok().map(|at| self.kept_bytes[at].1 as usize)
    }

    /// How much a document is worth beside its duplicates.
    ///
    /// One that holds a benchmark's item is worth less than any other: it will go, and what stays in
    /// the place of a duplicate must stay.
    pub(crate) fn worth(&self, number: u32) -> f32 {
        if self.contaminated[number as usize] {
            return f32::NEG_INFINITY;
        }
        let score = self.scores.get(number as usize).copied().unwrap_or(f32::NAN);
        if score.is_nan() { f32::MIN } else { score }
    }

    /// Decides who is an exact duplicate, if that is wanted; hashes are not needed any more then.
    pub(crate) fn decide_exact(&mut self, dedup: DedupMode) {
        if dedup != DedupMode::None {
            self.drop_exact();
        }
        self.hashes = Vec::new();
    }

    /// Takes near duplicates out; who reads as one of them follows its root.
    pub(crate) fn drop_near(&mut self, dropped: &[Dropped]) {
        for Dropped { index, root, .. } in dropped {
            self.fates[*index as usize] = DUPLICATE_NEAR;
            self.roots[*index as usize] = *root;
        }
        for number in 0..self.roots.len() {
            let root = self.roots[number] as usize;
            if self.fates[number] == DUPLICATE_EXACT && self.fates[root] == DUPLICATE_NEAR {
                self.roots[number] = self.roots[root];
            }
        }
    }

    /// Of those that read alike, the one that is worth most stays, the first of equals.
    fn drop_exact(&mut self) {
        self.roots = (0..self.fates.len() as u32).collect();
        let stays = |number: &u32| matches!(self.fates[*number as usize], STAYS | REFERENCE);
        let mut order: Vec<u32> = self.roots.iter().copied().filter(stays).collect();
        order.sort_unstable_by(|&a, &b| {
            let hash = |number: u32| self.hashes[number as usize];
            hash(a)
                .cmp(&hash(b))
                .then_with(|| self.worth(b).total_cmp(&self.worth(a)))
                .then(a.cmp(&b))
        });
        let mut root = None;
        for number in order {
            let hash = self.hashes[number as usize];
            match root {
                // What another corpus has twice is no matter of this one.
                Some((_, same)) if same == hash && self.is_reference(number) => {}
                Some((kept, same)) if same == hash => {
                    self.roots[number as usize] = kept;
                    self.fates[number as usize] = DUPLICATE_EXACT;
                }
                _ => root = Some((number, hash)),
            }
        }
    }

    /// Takes benchmarks out; a duplicate of one that goes goes for the same reason, because all
    /// that are worth as little hold an item too.
    pub(crate) fn drop_contaminated(&mut self) {
        for number in 0..self.fates.len() {
            let goes = self.contaminated[number] && self.fates[number] == STAYS;
            if goes {
                self.fates[number] = HOLDS_BENCHMARK;
            }
        }
        for number in 0..self.roots.len() {
            let is_duplicate = matches!(self.fates[number], DUPLICATE_EXACT | DUPLICATE_NEAR);
            if is_duplicate && self.fates[self.roots[number] as usize] == HOLDS_BENCHMARK {
                self.fates[number] = HOLDS_BENCHMARK;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedup::TextHash;

    fn fact(hash: u128, score: f32) -> Fact {
        Fact {
            hash: TextHash(hash),
            seq: 0,
            id_end: 0,
            score,
            kept_bytes: 0,
            tokens: 0,
            margin: f32::NAN,
            class: 0,
            gate: 0,
            opening: 0,
            trimmed: false,
        }
    }

    /// The prompt's number says: 0 is a document, 1 one that nobody takes, 2 holds an item, 3 is another corpus's.
    fn fates(facts: &[Fact], dedup: DedupMode) -> Vec<Fate> {
        let mut ledger = Ledger::default();
        for fact in facts {
            if fact.seq == 3 {
                ledger.push_reference(fact).unwrap();
                continue;
            }
            let number = ledger.push(fact, fact.seq != 1).unwrap();
            if fact.seq == 2 {
                ledger.note_leak(number);
            }
        }
        ledger.decide_exact(dedup);
        ledger.drop_contaminated();
        (0..facts.len() as u32).map(|number| ledger.fate(number)).collect()
    }

    #[test]
    fn the_best_of_equals_stays_then_the_first() {
        let facts =
            [fact(1, f32::NAN), fact(2, 0.5), fact(1, f32::NAN), fact(2, 0.9), fact(2, 0.9)];
        let expected = [Fate::Stays, Fate::Exact(3), Fate::Exact(0), Fate::Stays, Fate::Exact(3)];
        assert_eq!(fates(&facts, DedupMode::Exact), expected);
        assert_eq!(fates(&facts, DedupMode::None), [Fate::Stays; 5]);
        let facts = [fact(1, f32::NAN), fact(1, -7.0)];
        assert_eq!(fates(&facts, DedupMode::Exact), [Fate::Exact(1), Fate::Stays]);
    }

    #[test]
    fn what_a_gate_refused_or_nobody_takes_is_nobodys_root() {
        let refused = Fact { gate: 1, ..fact(1, 9.0) };
        let passed_over = Fact { seq: 1, ..fact(1, 8.0) };
        let facts = [refused, passed_over, fact(1, 1.0), fact(1, 0.0)];
        let expected =
            [Fate::Refused(Reason::Empty), Fate::PassedOver, Fate::Stays, Fate::Exact(2)];
        assert_eq!(fates(&facts, DedupMode::Exact), expected);
    }

    #[test]
    fn who_reads_as_a_near_duplicate_follows_its_root() {
        let mut ledger = Ledger::default();
        for fact in [fact(1, 0.0), fact(2, 0.0), fact(2, 0.0), fact(3, 0.0)] {
            ledger.push(&fact, true).unwrap();
        }
        ledger.decide_exact(DedupMode::Near);
        ledger.drop_near(&[Dropped { index: 1, root: 0, jaccard: 0.8 }]);
        ledger.drop_contaminated();
        let fates = [0, 1, 2, 3].map(|number| ledger.fate(number));
        assert_eq!(fates, [Fate::Stays, Fate::Near(0), Fate::Exact(0), Fate::Stays]);
    }

    #[test]
    fn what_holds_a_benchmark_is_nobodys_root() {
        let leaked = Fact { seq: 2, ..fact(1, 9.0) };
        let facts = [leaked, fact(1, 1.0), Fact { seq: 2, ..fact(2, 1.0) }];
        let expected = [Fate::Exact(1), Fate::Stays, Fate::Contaminated];
        assert_eq!(fates(&facts, DedupMode::Exact), expected);
        let expected = [Fate::Contaminated, Fate::Stays, Fate::Contaminated];
        assert_eq!(fates(&facts, DedupMode::None), expected);
        assert_eq!(fates(&[leaked, leaked], DedupMode::Exact), [Fate::Contaminated; 2]);
    }

    #[test]
    fn what_another_corpus_has_goes_whatever_it_is_worth() {
        let other = |hash| Fact { seq: 3, ..fact(hash, f32::NAN) };
        let leaked = Fact { seq: 2, ..fact(3, 1.0) };
        let facts = [fact(1, 9.0), fact(2, 0.0), leaked, other(1), other(1), other(3), other(4)];
        let mut expected = vec![Fate::Exact(3), Fate::Stays, Fate::Exact(5)];
        expected.extend([Fate::PassedOver; 4]);
        assert_eq!(fates(&facts, DedupMode::Exact), expected);
    }
}
