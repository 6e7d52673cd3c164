//! How much of what an assembly needed had to be found out, and how much was known.

use super::examine::{Examined, Wants};

/// Counts of documents; what was known from before is in `documents_reused` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Documents of which hashes and gates were known.
    pub documents_reused: u64,
    /// Documents that were read to find out anything about them.
    pub read: u64,
    /// Documents that were judged and hashed.
    pub judged: u64,
    /// Documents that were signed for near deduplication.
    pub signed: u64,
    /// Documents in which benchmarks were looked for.
    pub searched: u64,
}

impl Work {
    pub(super) fn note(&mut self, examined: &Examined, wants: Wants) {
        let documents = examined.facts.len() as u64;
        self.read += documents;
        self.judged += documents * u64::from(wants.facts);
        self.signed += documents * u64::from(wants.signatures);
        self.searched += documents * u64::from(wants.leaks);
    }
}
