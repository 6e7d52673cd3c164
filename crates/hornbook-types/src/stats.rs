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
    /// Prompts that are not sent because enough documents were accepted without them.
    #[serde(default)]
    pub skipped: u64,
    /// Accepted documents beyond a line's quota; counted as accepted too, and not in the corpus.
    #[serde(default)]
    pub surplus: u64,
}

impl Counts {
    /// Prompts that were sent and ended, whatever their outcome.
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

/// How far a job is that asks for accepted documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QuotaProgress {
    /// Accepted documents that were asked for.
    pub wanted: u64,
    /// Those that there are, surplus left out.
    pub met: u64,
}

/// What a job used at one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndpointUsage {
    /// Endpoint, by name.
    pub name: String,
    /// What it did and cost.
    #[serde(flatten)]
    pub totals: UsageTotals,
}

/// What an endpoint did and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UsageTotals {
    /// Documents that it answered, or failed, last.
    pub documents: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// Dollars.
    pub usd: f64,
}
