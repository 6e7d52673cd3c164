//! What a whole corpus leaked: counts for the manifest, and one line for each hit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Decontaminator, Hit, Mode, Unchecked};

/// A line of `decontamination.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HitLine<'a> {
    /// The document's id.
    pub id: &'a str,
    /// The item and the overlapping span.
    #[serde(flatten)]
    pub hit: Hit,
}

/// Counts of one benchmark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchmarkCounts {
    /// Items that it has.
    pub items: u64,
    /// Items that cannot be checked.
    pub not_checked: u64,
    /// Items that were found in at least one document.
    pub items_hit: u64,
    /// Documents in which at least one of its items was found.
    pub documents_hit: u64,
}

/// Counts of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecontaminationReport {
    /// How documents were checked.
    pub mode: Mode,
    /// Documents that were checked.
    pub documents: u64,
    /// Documents in which anything was found.
    pub documents_hit: u64,
    /// Counts by benchmark.
    pub benchmarks: BTreeMap<String, BenchmarkCounts>,
    /// The items that cannot be checked, by name.
    pub not_checked: Vec<Unchecked>,
    /// Bytes that the index of all items took.
    pub index_bytes: u64,
}

/// Counts hits while documents go by; threads have one each and merge them.
#[derive(Clone, Debug)]
pub struct HitCounts {
    documents: u64,
    documents_hit: u64,
    documents_hit_each: Vec<u64>,
    items_hit: Vec<bool>,
}

impl HitCounts {
    /// Counts a document by what was found in it.
    pub fn note(&mut self, decontaminator: &Decontaminator, hits: &[Hit]) {
        self.documents += 1;
        self.documents_hit += u64::from(!hits.is_empty());
        let names = decontaminator.names();
        let mut benchmarks: Vec<usize> =
            hits.iter().map(|hit| names.benchmark_number(hit.item)).collect();
        benchmarks.sort_unstable();
        benchmarks.dedup();
        for benchmark in benchmarks {
            self.documents_hit_each[benchmark] += 1;
        }
        for hit in hits {
            self.items_hit[hit.item as usize] = true;
        }
    }

    /// Adds what another thread counted with the same decontaminator.
    pub fn merge(&mut self, other: &Self) {
        self.documents += other.documents;
        self.documents_hit += other.documents_hit;
        for (mine, theirs) in self.documents_hit_each.iter_mut().zip(&other.documents_hit_each) {
            *mine += theirs;
        }
        for (mine, theirs) in self.items_hit.iter_mut().zip(&other.items_hit) {
            *mine |= theirs;
        }
    }
}

impl Decontaminator {
    /// Counts of no document yet.
    pub fn counts(&self) -> HitCounts {
        HitCounts {
            documents: 0,
            documents_hit: 0,
            documents_hit_each: vec![0; self.names().benchmarks().len()],
            items_hit: vec![false; self.names().len()],
        }
    }

    /// What was counted, with the names of everything.
    pub fn report(&self, counts: &HitCounts) -> DecontaminationReport {
        let names = self.names();
        let mut each = vec![BenchmarkCounts::default(); names.benchmarks().len()];
        for (item, &hit) in counts.items_hit.iter().enumerate() {
            let benchmark = &mut each[names.benchmark_number(item as u32)];
            benchmark.items += 1;
            benchmark.items_hit += u64::from(hit);
        }
        let mut benchmarks: BTreeMap<String, BenchmarkCounts> = BTreeMap::new();
        for (number, mut benchmark) in each.into_iter().enumerate() {
            benchmark.documents_hit = counts.documents_hit_each[number];
            benchmarks.insert(names.benchmarks()[number].to_string(), benchmark);
        }
        for unchecked in self.not_checked() {
            if let Some(benchmark) = benchmarks.get_mut(&*unchecked.benchmark) {
                benchmark.not_checked += 1;
            }
        }
        DecontaminationReport {
            mode: self.mode(),
            documents: counts.documents,
            documents_hit: counts.documents_hit,
            benchmarks,
            not_checked: self.not_checked().to_vec(),
            index_bytes: self.memory_bytes() as u64,
        }
    }
}
