//! Chunks: ranges of a job's prompts, and the fenced, expiring leases on them.
//!
//! A worker that holds a lease is the only one that may store documents of that chunk: each write
//! names the lease's token, and whoever takes the chunk over replaces it. Times are on the
//! database's clock alone.

pub(crate) mod claim;
mod finish;
pub(crate) mod fold;
mod missing;
mod quota;

use uuid::Uuid;

pub use claim::claim;
pub use finish::{Finished, QuotaPart, finish, finish_quota, release};
pub use missing::{Span, covered, missing, open};
pub use quota::accepted_seqs;

/// Names the right to one chunk; each lease ever given has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseToken(pub i64);

/// What a write under a lease must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseKey {
    /// The job.
    pub job_id: Uuid,
    /// Number of the chunk within the job.
    pub chunk: i64,
    /// The lease.
    pub token: LeaseToken,
}

/// A worker's right to the prompts `lo..hi` of a job, for [`LEASE_SECONDS`] without a heartbeat.
///
/// [`LEASE_SECONDS`]: hornbook_types::limits::LEASE_SECONDS
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What writes must name.
    pub key: LeaseKey,
    /// First prompt.
    pub lo: u64,
    /// One past the last prompt.
    pub hi: u64,
    /// How often a retry has requeued the chunk.
    pub attempt: i32,
    /// How many owners died in a row without storing a document of it, this lease's predecessor included.
    ///
    /// From [`CHUNK_OWNER_DEATHS`] on, run it one prompt at a time in order; from
    /// [`CHUNK_KILLER_DEATHS`] on, the first missing prompt is the one that they died on.
    ///
    /// [`CHUNK_OWNER_DEATHS`]: hornbook_types::limits::CHUNK_OWNER_DEATHS
    /// [`CHUNK_KILLER_DEATHS`]: hornbook_types::limits::CHUNK_KILLER_DEATHS
    pub deaths: i32,
    /// True for a chunk that was never leased before, so that no prompt of it can have ended yet.
    pub fresh: bool,
    /// Accepted documents by recipe line in done chunks below this one, where the job asks for those.
    ///
    /// Prompts of a line that has its quota there already are not to be sent.
    pub line_accepted: Option<Vec<u64>>,
}
