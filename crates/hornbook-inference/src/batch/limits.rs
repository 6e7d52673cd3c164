//! What a batch may hold and how patiently it is watched.

use std::time::Duration;

/// Most requests in one batch, as OpenAI has it.
pub(super) const BATCH_REQUESTS: usize = 50_000;
/// Longest file of one batch, as OpenAI has it.
pub(super) const BATCH_BYTES: usize = 200_000_000;
/// Text of the prompts that wait at one endpoint: no further one is taken above it. Each of them is
/// in memory two or three times, as a prompt, a request and, until it is uploaded, a line.
pub(super) const WAITING_BYTES: usize = 64 * 1024 * 1024;
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
/// Times that a batch is tried to be noted before its prompts are put back: the endpoint may be
/// deleted.
pub(super) const JOURNAL_TRIES: u32 = 60;
/// Readings of all files after which what is in none of them is given up.
pub(super) const READINGS: u32 = 6;
/// Readings that may break off half way before a person has to look.
pub(super) const BROKEN_READINGS: u32 = 30;
/// Looks in a row that a provider may know nothing of its batch: of a young one it may not know yet.
pub(super) const UNKNOWN_LOOKS: u32 = 6;
/// First wait for room in the account's queue, in looks; each further one is twice as long.
pub(super) const QUEUE_POLLS: u32 = 6;
/// Longest wait for room in the account's queue, in looks.
pub(super) const QUEUE_POLLS_MAX: u32 = 60;
/// How long nobody is taken in after an error that only a person can mend.
pub(super) const ENDPOINT_HOLD: Duration = Duration::from_secs(10);
/// A batch noted this long ago whose making has not begun is nobody's. Should its maker still
/// upload, it hears of that before it pays: the cost is an upload.
pub(super) const UPLOAD_WAIT: Duration = Duration::from_secs(900);
/// A batch whose making began this long ago and that no list shows was never made.
pub(super) const MAKE_WAIT: Duration = Duration::from_secs(3_600);
/// A claim older than this is renewed before the batch is made: meanwhile the process may have stood
/// still.
pub(super) const CLAIM_FRESH: Duration = Duration::from_secs(30);
/// By how much a provider's clock may differ from ours.
pub(super) const CLOCK_SLACK: Duration = Duration::from_secs(3_600);
/// Batches that a request remembers to have left without an answer.
pub(super) const PASSED_MAX: usize = 64;
/// Longest exchange about a batch, reading and writing its files included.
pub(super) const EXCHANGE: Duration = Duration::from_secs(3_600);
/// Longest exchange that moves no file.
pub(super) const QUESTION: Duration = Duration::from_secs(120);
/// Longest answer to a question about a batch.
pub(super) const REPLY_BYTES: usize = 4 * 1024 * 1024;
/// Longest id that a server may give to a file or a batch.
pub(super) const ID_BYTES: usize = 128;
/// Batches in one page of the list.
pub(super) const LIST_ROWS: usize = 100;
/// Pages that are searched for a batch whose id was never heard; it may well lie further on.
pub(super) const LIST_PAGES: usize = 100;
