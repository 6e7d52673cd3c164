//! Every limit of a push, with its unit in its name.

/// Files that one push may have; the Hub takes 25,000 in a commit.
pub(crate) const FILES: usize = 20_000;
/// Files named in one request about them.
pub(crate) const FILES_AT_ONCE: usize = 256;
/// Uploads under way at once.
pub(crate) const UPLOADS_AT_ONCE: usize = 4;
/// First bytes of a file, by which the Hub decides how it wants it.
pub(crate) const SAMPLE_BYTES: u64 = 512;
/// Largest file that goes into the commit itself.
pub(crate) const INLINE_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Most that all files within one commit may hold.
pub(crate) const INLINE_BYTES: u64 = 64 * 1024 * 1024;
/// Largest answer that is read.
pub(crate) const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Largest manifest that is read.
pub(crate) const MANIFEST_BYTES: u64 = 64 * 1024 * 1024;
/// Most parts of one file.
pub(crate) const PARTS: usize = 10_000;
/// Tries of one request, the first included.
pub(crate) const TRIES: u32 = 5;
/// Pause before the second try; it doubles with each.
pub(crate) const RETRY_MILLIS: u64 = 500;
/// Longest pause that a server may ask for and get.
pub(crate) const PAUSE_SECONDS: u64 = 300;
/// Longest time to an answer, beside that for sending a body.
pub(crate) const ANSWER_SECONDS: u64 = 120;
/// Slowest upload that is waited for.
pub(crate) const SLOWEST_BYTES_PER_SECOND: u64 = 32 * 1024;
/// Longest repository or branch name.
pub(crate) const NAME_BYTES: usize = 96;
/// Most headers that a server may want with an upload.
pub(crate) const UPLOAD_HEADERS: usize = 16;
