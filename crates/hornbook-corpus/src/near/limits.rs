//! Limits of near deduplication, each with its unit.

/// Words that make a shingle.
pub(super) const SHINGLE_WORDS: usize = 5;
/// Words of a text that are looked at; what comes after them makes no difference.
pub(super) const WORDS_MAX: usize = 1 << 20;
/// Characters of a word; a longer one is cut into several, so that text without spaces has words too.
pub(super) const WORD_CHARS_MAX: u32 = 32;
/// Bands of a scheme.
pub(super) const BANDS_MAX: u32 = 256;
/// Rows of a band.
pub(super) const ROWS_MAX: u32 = 64;
/// Members of a bucket that every later member is compared with: the first by priority, so many of the
/// references and so many of the others. A bucket of n members costs at most 2 x 16 x n comparisons.
pub(super) const BUCKET_HEADS: usize = 16;
/// Least memory for buffers, in bytes.
pub(super) const MEMORY_MIN_BYTES: usize = 1 << 20;
/// Threads at most.
pub(super) const THREADS_MAX: usize = 256;
/// Sorted runs that are merged at once.
pub(super) const MERGE_WAYS: usize = 64;
/// Bytes read at once from a run while it is merged.
pub(super) const RUN_READ_BYTES: usize = 128 * 1024;
/// Bytes written at once to a run.
pub(super) const RUN_WRITE_BYTES: usize = 256 * 1024;
/// Texts that are cut into shingles together when they are read again.
pub(super) const BATCH_TEXTS: usize = 512;
/// Bytes of such texts after which no more are added.
pub(super) const BATCH_BYTES: usize = 8 << 20;
/// Pairs of documents compared together.
pub(super) const BATCH_PAIRS: usize = 16 * 1024;
