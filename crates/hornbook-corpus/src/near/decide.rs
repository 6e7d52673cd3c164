//! Who stays: the lexicographically first maximal independent set.

use super::documents::{Members, Sets};
use super::limits::BATCH_PAIRS;
use super::pair::Pair;
use super::sorter::Sorted;
use super::stats::NearStats;
use super::verify::Verifier;
use crate::AssembleError;

/// A document that goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropped {
    /// The document.
    pub index: u32,
    /// The document that stays in its place: of those that stay and are similar enough, the first by priority.
    pub root: u32,
    /// Their exact Jaccard: not below the threshold.
    pub jaccard: f32,
}

/// What near deduplication decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decisions {
    /// Documents that go, by index.
    pub dropped: Vec<Dropped>,
    /// Every document that is similar to another, by index, and the smallest index of its cluster: those that can be
    /// reached from it over pairs that are similar enough. All others are a cluster of their own.
    pub clusters: Vec<(u32, u32)>,
    /// Counts.
    pub stats: NearStats,
    /// The most that lay in the scratch directory, in bytes.
    pub scratch_peak_bytes: u64,
}

impl Decisions {
    /// Who stays in this document's place; `None` if it stays itself.
    pub fn root_of(&self, index: u32) -> Option<u32> {
        let found = self.dropped.binary_search_by_key(&index, |it| it.index);
        found.ok().map(|at| self.dropped[at].root)
    }

    /// The smallest index of the document's cluster, which may be its own.
    pub fn cluster_of(&self, index: u32) -> u32 {
        let found = self.clusters.binary_search_by_key(&index, |it| it.0);
        found.map_or(index, |at| self.clusters[at].1)
    }
}

/// Goes through pairs by the priority of the worse one: when it comes up, whoever is better has been decided.
pub(super) fn decide(
    mut pairs: Sorted<'_>,
    verifier: &Verifier<'_>,
    stats: NearStats,
) -> Result<Decisions, AssembleError> {
    let members: Vec<u32> = verifier.members.iter().collect();
    let mut decider = Decider::new(verifier.members, members.len(), stats);
    let mut batch = Vec::with_capacity(BATCH_PAIRS);
    loop {
        let next = pairs.next()?;
        batch.extend(next.map(Pair::unpack));
        if batch.len() == BATCH_PAIRS || next.is_none() {
            for (pair, jaccard) in batch.iter().zip(verifier.verify(&batch)?) {
                decider.pair(pair, jaccard);
            }
            batch.clear();
        }
        if next.is_none() {
            return Ok(decider.finish(&members));
        }
    }
}

struct Decider<'a> {
    members: &'a Members,
    sets: Sets,
    gone: Vec<bool>,
    linked: Vec<bool>,
    decisions: Decisions,
}

impl<'a> Decider<'a> {
    fn new(members: &'a Members, count: usize, stats: NearStats) -> Self {
        let decisions = Decisions { stats, ..Decisions::default() };
        let (gone, linked) = (vec![false; count], vec![false; count]);
        Self { members, sets: Sets::new(count), gone, linked, decisions }
    }

    fn pair(&mut self, pair: &Pair, jaccard: Option<f32>) {
        self.decisions.stats.candidate_pairs += 1;
        let Some(jaccard) = jaccard else { return };
        self.decisions.stats.verified_pairs += 1;
        let (worse, better) = (pair.worse.1, pair.better.1);
        let (at, root) = (self.members.place(worse), self.members.place(better));
        self.sets.join(at, root);
        (self.linked[at], self.linked[root]) = (true, true);
        if !self.gone[at] && !self.gone[root] {
            self.gone[at] = true;
            self.decisions.dropped.push(Dropped { index: worse, root: better, jaccard });
        }
    }

    fn finish(mut self, members: &[u32]) -> Decisions {
        let mut decisions = self.decisions;
        decisions.dropped.sort_unstable_by_key(|it| it.index);
        for (place, &index) in members.iter().enumerate().filter(|(place, _)| self.linked[*place]) {
            let first = self.sets.find(place);
            decisions.clusters.push((index, members[first]));
            decisions.stats.clusters += u64::from(first == place);
        }
        decisions.stats.compared_documents = members.len() as u64;
        decisions.stats.dropped = decisions.dropped.len() as u64;
        decisions
    }
}
