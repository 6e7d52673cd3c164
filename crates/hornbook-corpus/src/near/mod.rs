//! Near duplicates: documents whose sets of word 5-grams have a Jaccard of 0.7 or more.
//!
//! MinHash with bands finds candidates, exact comparison verifies each of them, and what stays is the
//! lexicographically first maximal independent set: in order of priority (best score, then smallest index) a document
//! goes exactly if it is similar enough to one that stays. So whatever goes has a root that is that similar to it, and
//! nothing depends on threads, memory or the order in which documents were added.
//!
//! The way: [`Signer`] makes a [`Signature`] of each text (once; it can be stored), [`NearDedup`] takes them and keeps
//! 16 bytes per band in sorted runs on disk, [`NearDedup::candidates`] merges them into pairs, and
//! [`Candidates::decide`] reads the texts in question once more. Memory is what [`NearConfig`] says, some 17 bytes per
//! document that is similar to another, and one bit per document.
//!
//! What can be missed: a pair that meets in no band (see [`NearScheme`]), and a pair that meets only in buckets of
//! more than 16 members without being similar to any of the first 16 by priority (text that many share, such as a
//! licence; [`NearStats::pairs_passed_over`] counts them). Words after the first 1,048,576 of a text make no difference.

mod buckets;
mod decide;
mod documents;
mod hashing;
mod limits;
mod minhash;
mod pair;
mod parallel;
mod run;
mod scheme;
mod scratch;
mod shingles;
mod signature;
mod sorter;
mod stats;
mod texts;
mod verify;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

pub use decide::{Decisions, Dropped};
pub use minhash::{Signer, sign_all};
pub use scheme::NearScheme;
pub use signature::Signature;
pub use stats::NearStats;
pub use texts::Texts;

use crate::AssembleError;
use documents::Members;
use limits::{MEMORY_MIN_BYTES, THREADS_MAX};
use pair::{Member, REFERENCE, order_of};
use scratch::Scratch;
use sorter::{Sorted, Sorter};
use texts::SetFile;
use verify::Verifier;

/// How near duplicates are looked for, and with what.
#[derive(Clone, Debug)]
pub struct NearConfig {
    /// Bands and rows.
    pub scheme: NearScheme,
    /// Least Jaccard of a duplicate, in thousandths; below 1 is taken as 1, above 1,000 as 1,000.
    pub threshold_per_mille: u32,
    /// Bytes for buffers, at least 1 MiB.
    pub memory_bytes: usize,
    /// Threads that sort, cut into shingles and compare; the result is the same with any number.
    pub threads: usize,
    /// A directory for runs, in which a directory `near-dedup` is made and removed again.
    pub scratch: PathBuf,
}

impl NearConfig {
    /// The defaults: 20 x 6, 0.7, 256 MiB, one thread.
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        Self {
            scheme: NearScheme::DEFAULT,
            threshold_per_mille: 700,
            memory_bytes: 256 << 20,
            threads: 1,
            scratch: scratch.into(),
        }
    }
}

/// Takes the signatures of all documents.
pub struct NearDedup {
    config: NearConfig,
    scratch: Arc<Scratch>,
    records: Sorter,
    stats: NearStats,
}

impl NearDedup {
    /// Begins, in an empty directory: what a killed run left behind goes.
    pub fn new(mut config: NearConfig) -> Result<Self, AssembleError> {
        config.threads = config.threads.clamp(1, THREADS_MAX);
        config.memory_bytes = config.memory_bytes.max(MEMORY_MIN_BYTES);
        config.threshold_per_mille = config.threshold_per_mille.clamp(1, 1_000);
        let scratch = Arc::new(Scratch::new(&config.scratch)?);
        let records = Sorter::new(&scratch, "bands", config.memory_bytes / 2, config.threads);
        Ok(Self { config, scratch, records, stats: NearStats::default() })
    }

    /// Takes a document, in any order. The index is its number in the assembly, dense from 0, each once; of
    /// duplicates the one with the best score stays (what is not a number is the worst), of equal scores the one with
    /// the smallest index.
    pub fn add(
        &mut self,
        index: u32,
        score: f32,
        signature: &Signature,
    ) -> Result<(), AssembleError> {
        self.push(index, order_of(score), signature)
    }

    /// Takes a document of another corpus, which always stays: what is similar to it goes.
    pub fn add_reference(
        &mut self,
        index: u32,
        signature: &Signature,
    ) -> Result<(), AssembleError> {
        self.stats.references += 1;
        self.push(index, REFERENCE, signature)
    }

    fn push(&mut self, index: u32, order: u32, signature: &Signature) -> Result<(), AssembleError> {
        if signature.keys.len() != self.config.scheme.bands() {
            return Err(AssembleError::Signature { index });
        }
        self.stats.documents += 1;
        if signature.is_empty() {
            self.stats.without_words += 1;
            return Ok(());
        }
        for &key in &signature.keys {
            self.records.push(Member { key, order, index }.pack())?;
        }
        Ok(())
    }

    /// Finds the pairs to compare.
    pub fn candidates(self) -> Result<Candidates, AssembleError> {
        let Self { config, scratch, records, mut stats } = self;
        let mut pairs = Sorter::new(&scratch, "pairs", config.memory_bytes / 4, config.threads);
        let members = buckets::pair_up(records.finish()?, &mut pairs, &mut stats)?;
        let pairs = pairs.finish()?;
        Ok(Candidates { config, scratch, members, pairs, stats })
    }
}

/// The pairs to compare.
pub struct Candidates {
    config: NearConfig,
    scratch: Arc<Scratch>,
    members: Members,
    pairs: Sorted<'static>,
    stats: NearStats,
}

impl Candidates {
    /// The documents whose texts are needed once more, in ascending order.
    pub fn documents(&self) -> impl Iterator<Item = u32> + '_ {
        self.members.iter()
    }

    /// Compares every pair exactly and decides who stays.
    pub fn decide(self, texts: &mut dyn Texts) -> Result<Decisions, AssembleError> {
        let Self { config, scratch, members, pairs, stats } = self;
        let sets = SetFile::write(&scratch, &members, texts, config.threads)?;
        let verifier = Verifier {
            sets: &sets,
            members: &members,
            threshold_per_mille: config.threshold_per_mille,
            threads: config.threads,
        };
        let decisions = decide::decide(pairs, &verifier, stats)?;
        Ok(Decisions { scratch_peak_bytes: scratch.peak_bytes(), ..decisions })
    }
}
