//! What near deduplication counts.

/// Counts of one run; they depend on the documents alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NearStats {
    /// Documents added, references included.
    pub documents: u64,
    /// Documents added as references.
    pub references: u64,
    /// Documents without any word, which are compared with nothing.
    pub without_words: u64,
    /// Buckets of two members or more.
    pub buckets: u64,
    /// Members of the largest bucket.
    pub largest_bucket: u64,
    /// Pairs of one bucket that were not compared there, because neither is among the bucket's first members.
    pub pairs_passed_over: u64,
    /// Documents that were compared with another.
    pub compared_documents: u64,
    /// Pairs that were compared.
    pub candidate_pairs: u64,
    /// Pairs whose Jaccard reaches the threshold.
    pub verified_pairs: u64,
    /// Documents dropped.
    pub dropped: u64,
    /// Clusters of two documents or more.
    pub clusters: u64,
}
