//! Limits of this crate alone, each with its unit.

use std::time::Duration;

use hornbook_types::limits::LEASE_SECONDS;

/// How long a lease or a slice of a budget may be used after it was asked for: less than it lasts,
/// because this machine's clock and the database's may run at different speeds, and because what is
/// under way has to be gone before others ask the same.
pub(crate) const LEASE_VALID: Duration = Duration::from_secs(LEASE_SECONDS - 2);
/// Longest time between two looks whether a lease has run out; requests look for themselves.
pub(crate) const LAPSE_LOOK: Duration = Duration::from_secs(1);
/// Longest wait for the database's word on a lease: one that is cut off must not wait for ever.
pub(crate) const DATABASE_PATIENCE: Duration = Duration::from_secs(10);
/// How often endpoints are looked up again: what workers find is seen so, and users' changes that no notification told.
pub(crate) const ENDPOINTS_INTERVAL: Duration = Duration::from_secs(2);
/// How long a share of an endpoint's limits may be used after it was asked for: less than the
/// lease, because this machine's clock and the database's may run at different speeds.
pub(crate) const SHARE_VALID: Duration = Duration::from_secs(LEASE_SECONDS - 2);
/// Shortest time between two renewals of shares, unless one just shrank.
pub(crate) const SHARES_REST: Duration = Duration::from_secs(1);
/// Time between two renewals while there is an endpoint without a share.
pub(crate) const SHARES_WAIT: Duration = Duration::from_secs(2);
/// What requests of an endpoint's earlier configuration keep of its rates to be repeated: one part in so many.
pub(crate) const FORMER_PART: u32 = 8;
/// How long after requests of an earlier configuration a worker may still count in somebody's minute.
pub(crate) const QUIET_AFTER: Duration = Duration::from_secs(60 + LEASE_SECONDS + 1);
/// Tokens of a prompt of which nothing but the answer's limit is known.
pub(crate) const PROMPT_TOKENS_GUESS: u64 = 1_000;
/// How long a worker with nothing to do sleeps when no notification wakes it.
pub(crate) const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after the database could not be reached.
pub(crate) const DATABASE_RETRY: Duration = Duration::from_millis(250);
/// Looks in a row, [`ENDPOINTS_INTERVAL`] apart, at which no endpoint of a job answered this worker;
/// then its prompts go to whoever has a way to them.
pub(crate) const HAND_BACK_LOOKS: u32 = 10;
/// How long a worker takes no prompts for an endpoint that it handed some back for, unless that answers.
pub(crate) const ENDPOINT_REST: Duration = Duration::from_secs(20);
/// Times that an endpoint may put a prompt off while it answers others, all its attempts each time.
pub(crate) const THROTTLED_ALONE: u32 = 16;
/// Shortest time over which that must go on before the prompt fails for it.
pub(crate) const THROTTLED_ALONE_AGE: Duration = Duration::from_secs(60);
/// Times that an endpoint may put a prompt off while it answers nobody.
pub(crate) const THROTTLED: u32 = 16;
/// Shortest time over which that must go on: limits by the hour are waited for.
pub(crate) const THROTTLED_AGE: Duration = Duration::from_secs(2 * 60 * 60);
/// Finished documents that wait to be stored; beyond it, endpoints wait.
pub(crate) const COMMIT_QUEUE_DOCUMENTS: usize = 1_024;
/// Text of those documents, in bytes; beyond it, endpoints wait.
pub(crate) const COMMIT_QUEUE_BYTES: usize = 32 * 1024 * 1024;
/// Groups stored at once, each of another chunk; more would only queue for the disk.
pub(crate) const COMMITS: usize = 4;
/// Times that a group of documents is offered to a database that answers with an error of its own.
pub(crate) const COMMIT_TRIES: u32 = 6;
/// Pause before the second try; doubles with each.
pub(crate) const COMMIT_RETRY: Duration = Duration::from_millis(500);
/// Most prompts of one chunk rendered in one go: one look for their seeds, one blocking task.
pub(crate) const RENDER_PROMPTS_MAX: usize = 256;
/// Prompts rendered in one go while nobody knows how large those of the job are.
pub(crate) const RENDER_PROMPTS_FIRST: usize = 64;
/// Prompts and seeds rendered in one go, in bytes, as far as the job's last ones foretell.
pub(crate) const RENDER_BYTES: usize = 1024 * 1024;
/// A batch that has been rendering for so long ends with the prompt that it is at.
pub(crate) const RENDER_BATCH: Duration = Duration::from_millis(50);
/// Batches rendered at once; more would only take cores from each other.
pub(crate) const RENDERS: usize = 2;
/// Rendered prompts kept ready of one chunk: an endpoint may take hundreds at one blow.
pub(crate) const CHUNK_READY_PROMPTS: usize = 1_024;
/// Rendered prompts kept ready of all chunks.
pub(crate) const READY_PROMPTS: usize = 4_096;
/// Rendered prompts and their seeds kept ready of all chunks, in bytes.
pub(crate) const READY_BYTES: usize = 32 * 1024 * 1024;
/// Prompts of a chunk that are rendered even when the others take all the room.
pub(crate) const READY_PROMPTS_SPARED: usize = 4;
/// Longest answer, with its prompt, that is judged on the spot, in bytes: about a millisecond.
pub(crate) const JUDGED_HERE_BYTES: usize = 16 * 1024;
/// How long leave to send is kept when the prompt that it was asked for went elsewhere; the slack of
/// the limiter's window covers it.
pub(crate) const ADMITTED_WAIT: Duration = Duration::from_millis(250);
/// Prompts are leased this long before they are needed, at the pace of the moment: on a busy machine
/// a lease takes a good part of it.
pub(crate) const LEASE_AHEAD: Duration = Duration::from_secs(1);
/// Most prompts leased ahead.
pub(crate) const LEASE_AHEAD_PROMPTS: usize = 4_096;
/// Longest that rendering one prompt may take.
pub(crate) const RENDER_DEADLINE: Duration = Duration::from_secs(10);
/// Compiled jobs kept ready; the least recently used goes first.
pub(crate) const JOBS_READY: usize = 64;
/// First stretch of time over which a worker's own pace is measured; each is twice the one before.
pub(crate) const PACE_WINDOW_FIRST: Duration = Duration::from_millis(500);
/// Longest stretch of time over which a worker's own pace is measured.
pub(crate) const PACE_WINDOW: Duration = Duration::from_secs(30);
/// Longest error message that is stored with a failed document, in bytes.
pub(crate) const ERROR_BYTES: usize = 1_024;
/// Shortest time between two slices of a job's budget.
pub(crate) const BUDGET_REST: Duration = Duration::from_millis(50);
/// Shortest time until a slice is asked for again that was empty; doubles up to a heartbeat.
pub(crate) const BUDGET_CLOSED_REST: Duration = Duration::from_secs(1);
/// How long a slice of a budget should last, at the pace of the moment.
pub(crate) const BUDGET_AHEAD: Duration = Duration::from_secs(2);
/// Prompts that one slice of a budget should be good for, at least.
pub(crate) const BUDGET_PROMPTS: u64 = 64;
/// Tokens that a prompt is taken to have before any was answered.
pub(crate) const PROMPT_TOKENS_UNKNOWN: f64 = 250.0;
/// Rows of the first page of an export, before it is known how long documents are.
pub(crate) const EXPORT_ROWS_FIRST: u32 = 16;
/// Most rows of one page of an export.
pub(crate) const EXPORT_ROWS_MAX: u32 = 1_000;
/// Text that one page of an export should hold.
pub(crate) const EXPORT_PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Time between two looks for segments of running jobs that are complete.
pub(crate) const AHEAD_INTERVAL: Duration = Duration::from_secs(5);
/// Running jobs whose segments are examined ahead, the newest first.
pub(crate) const AHEAD_JOBS: u32 = 64;
/// Jobs that ended whose segments stay in scratch, so that another assembly of them finds most of its work done.
pub(crate) const ENDED_JOBS_KEPT: usize = 2;
/// Size of one part of an upload; smaller files go in one piece. S3 takes no less than 5 MiB.
pub(crate) const UPLOAD_PART_BYTES: usize = 6 * 1024 * 1024;
/// Parts of one upload under way at once; as many and two more are held in memory.
pub(crate) const UPLOAD_PARTS: usize = 2;
/// Longest time between two sweeps of the janitor.
pub(crate) const JANITOR_INTERVAL: Duration = Duration::from_secs(5);
/// Shortest time between two sweeps of the janitor.
pub(crate) const JANITOR_REST: Duration = Duration::from_secs(1);
/// Time between two looks for something to import.
pub(crate) const IMPORT_LOOK: Duration = Duration::from_secs(1);
/// Files of an import that wait to be stored; each is a few dozen megabytes on the disk.
pub(crate) const IMPORT_FILES_WAITING: usize = 1;
/// Times that a dataset's host is asked the same before the import fails.
pub(crate) const FETCH_TRIES: u32 = 10;
/// Pause before the second try; doubles with each.
pub(crate) const FETCH_RETRY: Duration = Duration::from_millis(500);
/// Longest pause between two tries.
pub(crate) const FETCH_RETRY_MAX: Duration = Duration::from_secs(60);
/// Bytes of a file that are hashed at a time.
pub(crate) const HASH_BYTES: usize = 1024 * 1024;
