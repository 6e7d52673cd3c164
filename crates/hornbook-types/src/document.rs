//! One prompt and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Pinned, Slug};

/// A document as it arrives: the outcome of prompt `seq` of one job, whatever that outcome was.
///
/// Rejected and failed prompts are documents too, so that nothing is dropped in silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Number of the prompt within its job, from 0.
    pub seq: u64,
    /// The prompt as sent.
    pub prompt: String,
    /// The answer; empty when the prompt failed.
    pub text: String,
    /// Tokens as the endpoint counted them.
    pub usage: Usage,
    /// Audience of the recipe line.
    pub audience: Pinned,
    /// Template of the recipe line.
    pub template: Pinned,
    /// Format of that template.
    pub format: Slug,
    /// Number of the seed within the job's seed set.
    pub seed_seq: u64,
    /// The seed record itself, so that a row can be read without a join.
    pub seed_data: Map<String, Value>,
    /// Endpoint that answered (or failed) last.
    pub endpoint: Slug,
    /// Model that the endpoint said it was.
    pub model: String,
    /// Seed that this prompt drew with.
    pub sampling_seed: u64,
    /// Why generation stopped.
    pub finish_reason: FinishReason,
    /// Time from sending to the whole answer, in milliseconds.
    pub latency_ms: u32,
    /// Accepted, rejected or failed.
    pub verdict: Verdict,
    /// The gate's name when rejected, the error's code when failed.
    pub reason: Option<String>,
    /// The error's message when failed; never holds a secret.
    pub error: Option<String>,
    /// Numbers that gates measured, such as `duplicate_ngrams`, and facts such as `trimmed`.
    pub scores: Map<String, Value>,
}

/// What became of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Passed every gate.
    Accepted,
    /// A gate refused it.
    Rejected,
    /// No answer was had.
    Failed,
}

impl Verdict {
    /// The name used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    /// The verdict of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Accepted, Self::Rejected, Self::Failed].into_iter().find(|v| v.as_str() == name)
    }
}

/// Why generation stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FinishReason {
    /// The model ended its answer.
    Stop,
    /// `max_tokens` was reached.
    Length,
    /// The answer repeated itself and would have gone on so.
    Loop,
    /// No answer was had.
    None,
    /// A word of the endpoint's own; accepted and kept.
    Other(String),
}

impl FinishReason {
    /// The name used in JSON and in the database.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Loop => "loop",
            Self::None => "none",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for FinishReason {
    fn from(word: String) -> Self {
        match word.as_str() {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "loop" => Self::Loop,
            "none" | "" => Self::None,
            _ => Self::Other(word),
        }
    }
}

impl From<FinishReason> for String {
    fn from(reason: FinishReason) -> Self {
        reason.as_str().to_owned()
    }
}

/// Tokens as an endpoint counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// Prompt tokens that the endpoint had in a cache.
    pub cached_tokens: u64,
}
