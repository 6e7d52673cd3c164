//! The states of a job and the only ways between them.

use serde::{Deserialize, Serialize};

/// Where a job stands. The whole transition table is in docs/DATA_MODEL.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Submitted; no prompt was sent yet.
    Queued,
    /// Prompts are being sent.
    Running,
    /// Nothing is sent; what was in flight finishes and is stored.
    Paused,
    /// Cancelled by a user; what is in flight is awaited.
    Cancelling,
    /// Every prompt ended; the corpus is being written.
    Assembling,
    /// Every prompt was accepted or rejected, and the corpus is complete.
    Succeeded,
    /// The corpus is complete, but some prompts failed.
    SucceededWithErrors,
    /// Ended by a user; documents accepted so far make a partial corpus.
    Cancelled,
    /// No prompt succeeded, or the corpus could not be written.
    Failed,
}

/// What a user may ask of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobAction {
    /// Send nothing more until resumed.
    Pause,
    /// Go on.
    Resume,
    /// End for good; keep what is done.
    Cancel,
    /// Run failed prompts again, or the assembly when that failed.
    Retry,
    /// Remove an ended job with its documents and files.
    Delete,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Running,
        Self::Paused,
        Self::Cancelling,
        Self::Assembling,
        Self::Succeeded,
        Self::SucceededWithErrors,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Assembling => "assembling",
            Self::Succeeded => "succeeded",
            Self::SucceededWithErrors => "succeeded_with_errors",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// True when nothing will happen any more unless a user asks.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithErrors | Self::Cancelled | Self::Failed)
    }

    /// What a user may ask of a job in this state.
    pub fn allowed(self) -> &'static [JobAction] {
        use JobAction::{Cancel, Delete, Pause, Resume, Retry};
        match self {
            Self::Queued | Self::Running => &[Pause, Cancel],
            Self::Paused => &[Resume, Cancel],
            Self::Cancelling | Self::Assembling => &[],
            Self::Succeeded => &[Delete],
            Self::SucceededWithErrors | Self::Cancelled | Self::Failed => &[Retry, Delete],
        }
    }
}

impl JobAction {
    /// The name used in paths and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Delete => "delete",
        }
    }

    /// True when a job in `state` already is where this action leads, so that asking again is no error.
    pub fn is_done_in(self, state: JobState) -> bool {
        match self {
            Self::Pause => state == JobState::Paused,
            Self::Resume => matches!(state, JobState::Queued | JobState::Running),
            Self::Cancel => matches!(state, JobState::Cancelling | JobState::Cancelled),
            Self::Retry | Self::Delete => false,
        }
    }
}
