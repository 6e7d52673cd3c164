//! Counts that are kept while documents arrive, never by scanning them.

use serde::{Deserialize, Serialize};

use crate::Slug;

/// How a job's prompts stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    /// Prompts of the job.
    pub total: u64,
    /// Documents that passed every gate.
    pub accepted: u64,
    /// Documents that a gate refused.
    pub rejected: u64,
    /// Prompts without an answer.
    pub failed: u64,
    /// Prompts leased to a worker and not ended.
    pub running: u64,
}

impl Counts {
    /// Prompts that ended, whatever their outcome.
    pub fn ended(&self) -> u64 {
        self.accepted + self.rejected + self.failed
    }
}

/// One cell of a job's table: audience x format x what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cell {
    /// Audience, by name.
    pub audience: Slug,
    /// Format.
    pub format: Slug,
    /// `accepted`, `rejected` or `failed`.
    pub verdict: crate::Verdict,
    /// The gate's name or the error's code; empty when accepted.
    pub reason: String,
    /// Documents.
    pub count: u64,
    /// Completion tokens.
    pub tokens: u64,
}

/// One kind of error among a job's failed prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorCount {
    /// The error's code.
    pub code: String,
    /// One message of that kind, as an example.
    pub message: String,
    /// How many prompts failed so.
    pub count: u64,
}
