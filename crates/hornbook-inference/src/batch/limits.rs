//! What a batch may hold and how patiently it is watched.

use std::time::Duration;

/// Most requests in one batch, as OpenAI has it.
pub(super) const BATCH_REQUESTS: usize = 50_000;
/// Longest file of one batch, as OpenAI has it.
pub(super) const BATCH_BYTES: usize = 200_000_000;
/// Longest that a batch waits for more requests, unless the options say otherwise.
pub(super) const LINGER: Duration = Duration::from_secs(20);
/// Requests that wait for batches at once, where the endpoint names no limit in flight.
pub(super) const SLOTS: u32 = 2_000;
/// First wait between two looks at a batch, unless the options say otherwise.
pub(super) const POLL: Duration = Duration::from_secs(10);
/// Longest wait between two looks at a batch.
pub(super) const POLL_CAP: Duration = Duration::from_secs(60);
/// How long requests for an old batch gather before its files are read again.
pub(super) const REJOIN: Duration = Duration::from_secs(1);
/// How long a batch is remembered after its last answer was handed out, so that answers are
/// durable before it is forgotten.
pub(super) const GRACE: Duration = Duration::from_secs(600);
/// Pause before the journal is asked again; nothing is sent that it was not asked about.
pub(super) const JOURNAL_RETRY: Duration = Duration::from_secs(5);
/// Times that a file is read before those who wait for it are told.
pub(super) const DOWNLOADS: u32 = 6;
/// Longest exchange about a batch, reading and writing its files included.
pub(super) const EXCHANGE: Duration = Duration::from_secs(3_600);
/// Longest answer to a question about a batch.
pub(super) const REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Longest id that a server may give to a file or a batch.
pub(super) const ID_BYTES: usize = 128;
/// Batches in one page of the list.
pub(super) const LIST_ROWS: usize = 100;
/// Pages that are searched for a batch whose id was never heard.
pub(super) const LIST_PAGES: usize = 10;
