//! Jobs: one row each, a life of nine states, and the counts of its documents.
//!
//! Every way from one state to another goes through one statement that names the state it expects
//! and writes the event of the change beside it, under the lock on the job's row. Locks are taken
//! in one order only: the job, then its chunks, then its errors.

mod act;
mod change;
mod delete;
mod read;
mod retry;
mod settle;
mod stats;
mod submit;
mod transition;

use hornbook_types::{Budget, Counts, ErrorCount, JobState, QuotaProgress, Usage};
use time::OffsetDateTime;
use uuid::Uuid;

pub use act::{act, cancel, fail, pause, resume};
pub use change::change;
pub use delete::{Purge, delete, finish_purge, next_purge, purge_documents};
pub(crate) use read::get_in;
pub use read::{get, list, runnable, spec, state};
pub use retry::{Retried, retry};
pub use stats::{cells, counts, endpoints, errors, pace, series};
pub use submit::{submit, submit_as, submit_within};

pub(crate) use settle::settle;
pub(crate) use transition::{Locked, enter, lock, parse_state};

/// A job as it stands; counts are live and cost no scan of documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Name shown to people.
    pub name: String,
    /// Where it stands.
    pub state: JobState,
    /// Higher goes first.
    pub priority: i32,
    /// Its share among jobs of the same priority.
    pub weight: f64,
    /// Endpoints that may serve it.
    pub endpoints: Vec<String>,
    /// How its prompts stand.
    pub counts: Counts,
    /// How far it is, when it asks for accepted documents.
    pub quota: Option<QuotaProgress>,
    /// What it may cost.
    pub budget: Budget,
    /// Tokens used so far, those of rejected documents included.
    pub usage: Usage,
    /// Dollars spent so far, by the endpoints' prices.
    pub usd: f64,
    /// Why it failed, was paused, or is short of what was asked for.
    pub error: Option<JobError>,
    /// When it was submitted.
    pub created_at: OffsetDateTime,
    /// When its first prompts were leased.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended; absent again after a retry.
    pub finished_at: Option<OffsetDateTime>,
    /// Number of its newest event; a long poll waits until it goes up.
    pub revision: i64,
    /// Commit of its current corpus, 40 hex digits.
    pub corpus: Option<String>,
    /// True while an assembly is wanted or under way.
    pub assembly_pending: bool,
}

/// Why a job failed, was paused, or is short of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// A code that programs can rely on, such as `assembly_failed`.
    pub code: String,
    /// What happened, for people.
    pub message: String,
}

/// How fast a job went lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Prompts ended per second.
    pub documents_per_second: f64,
    /// Completion tokens per second.
    pub tokens_per_second: f64,
}

/// One point of a job's course over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub at: OffsetDateTime,
    /// Prompts ended by then.
    pub ended: u64,
    /// Documents accepted by then.
    pub accepted: u64,
    /// Completion tokens by then.
    pub completion_tokens: u64,
}

/// Everything counted about a job's documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// How its prompts stand.
    pub counts: Counts,
    /// Tokens used.
    pub usage: Usage,
    /// Dollars spent.
    pub usd: f64,
}

/// Code of a job whose every prompt failed.
pub const EVERY_PROMPT_FAILED: &str = "every_prompt_failed";
/// Code of a job whose corpus could not be assembled; `/retry` tries the assembly again.
pub const ASSEMBLY_FAILED: &str = "assembly_failed";
/// Code of a job that used up its budget: paused, or ended early.
pub const BUDGET_SPENT: &str = "budget_spent";
/// Code of a job whose prompts gave fewer accepted documents than were asked for.
pub const QUOTA_SHORT: &str = "quota_short";

/// `code (count): message` of the commonest errors, for the message of a job that failed.
fn summarise(errors: &[ErrorCount]) -> String {
    let parts: Vec<String> = errors
        .iter()
        .map(|error| format!("{} ({}): {}", error.code, error.count, error.message))
        .collect();
    if parts.is_empty() { "no prompt was answered".to_owned() } else { parts.join("; ") }
}
