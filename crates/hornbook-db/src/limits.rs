//! Limits of this crate alone, each with its unit.

/// Longest wait for a free connection, in seconds.
pub const ACQUIRE_SECONDS: u64 = 10;
/// A connection idle for longer is tried before use, in milliseconds.
pub const IDLE_TRUST_MILLIS: u64 = 1_000;
/// Most rows that one page of anything may have.
pub const PAGE_ROWS: u32 = 1_000;
/// Rows that one transaction deletes of a deleted job.
pub const DELETE_ROWS: u32 = 5_000;
/// How long a rate that a worker gave up counts as used, in seconds: the limiter's window.
pub const SHARE_COOLING_SECONDS: f64 = 60.5;
/// Chunks with expired leases that one sweep hands back.
pub const SWEEP_CHUNKS: i64 = 1_000;
/// Shortest time between two progress events of one job, in seconds.
pub const PROGRESS_SECONDS: f64 = 1.0;
/// A long job reports ever more rarely, up to this many seconds apart, so that its events stay few.
pub const PROGRESS_SECONDS_MAX: f64 = 30.0;
/// One progress event for each such share of a job's age.
pub const PROGRESS_AGE_SHARE: f64 = 1_000.0;
/// Stretch of time over which a job's pace is measured, in seconds.
pub const PACE_SECONDS: f64 = 60.0;
/// How long a stored answer to an idempotent request is kept, in hours.
pub const IDEMPOTENCY_HOURS: i32 = 24;
/// A request that has not answered for so long is taken for dead, in seconds.
pub const REQUEST_SECONDS: i32 = 600;
/// Largest group of documents sent to the server at once, in bytes of text.
pub const GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Assemblers that may die on one request before the assembly counts as failed.
pub const ASSEMBLY_DEATHS: i32 = 3;
/// Notifications kept for a subscriber that is slow to look.
pub const NOTIFICATIONS: usize = 256;
/// Pause before a broken listening connection is opened again, in milliseconds.
pub const LISTEN_RETRY_MILLIS: u64 = 1_000;
/// A worker not heard of for so long is forgotten, in hours.
pub const WORKER_HOURS: i32 = 24;
/// Shortest time between two notes of a key's use, in seconds.
pub const TOUCH_SECONDS: i32 = 60;
/// Errors named in the message of a job whose every prompt failed.
pub const TOP_ERRORS: i64 = 3;
/// Chunks whose accepted documents are summed in one row; migrations count with it.
pub const LINE_BLOCK_CHUNKS: i64 = 256;
/// Workers that may die on one import before it counts as failed.
pub const IMPORT_DEATHS: i32 = 3;
/// Longest error message kept with a failed import, in bytes.
pub const IMPORT_ERROR_BYTES: usize = 4_096;
