//! Limits of assembling, each with its unit.

/// Documents of one assembly: they are numbered with 32 bits.
pub(crate) const DOCUMENTS_MAX: u64 = u32::MAX as u64 - 1;
/// Files that one build may read.
pub(crate) const SOURCE_FILES: usize = 100_000;
/// Directories within directories that are looked into.
pub(crate) const SOURCE_DIRECTORY_DEPTH: usize = 16;
/// Longest id of a document that is kept; a longer one is replaced by file and row.
pub(crate) const ID_BYTES: usize = 4_096;
/// Bytes of text that a token is taken for where nobody counted.
pub(crate) const BYTES_PER_TOKEN: usize = 4;
/// Bytes of text that one thread examines at a time.
pub(crate) const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Documents that one thread examines at a time.
pub(crate) const BATCH_DOCUMENTS: usize = 1_024;
/// Batches under way at once, beyond one per thread.
pub(crate) const BATCHES_AHEAD: usize = 2;
/// Threads of one assembly.
pub(crate) const THREADS_MAX: usize = 256;
/// Bytes gathered before they are written to a file of facts.
pub(crate) const FACTS_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes that near deduplication may hold in buffers.
pub(crate) const NEAR_MEMORY_BYTES: usize = 192 * 1024 * 1024;
