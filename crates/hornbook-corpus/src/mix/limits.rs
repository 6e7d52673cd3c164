//! Limits of mixing, each with its unit.

/// Bytes of rows that are sorted in memory at a time.
pub(super) const BUCKET_BYTES: usize = 64 * 1024 * 1024;
/// Bytes gathered before they are written to a bucket; 256 buckets are open at a time.
pub(super) const BUCKET_BUFFER_BYTES: usize = 32 * 1024;
/// Bytes of memory that a row takes beside its own.
pub(super) const RECORD_BYTES: usize = 64;
