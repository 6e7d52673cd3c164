//! What happened to a job, in order.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One entry of a job's stored sequence of events, numbered from 1 without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobEvent {
    /// Number within the job; the SSE id.
    pub seq: i64,
    /// When, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What kind; the SSE event name.
    pub kind: EventKind,
    /// Details, by kind.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The job's state changed: `{from, to, message?}`.
    State,
    /// Counts moved, at most once a second: `{counts, usage}`.
    Progress,
    /// Something a person should know: `{code, message}`.
    Warning,
}

impl EventKind {
    /// The name used in JSON, SSE and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Progress => "progress",
            Self::Warning => "warning",
        }
    }
}
