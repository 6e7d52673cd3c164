//! The seam between whoever wants a prompt completed and whatever completes it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::{FinishReason, Sampling, Usage};
use tokio_util::sync::CancellationToken;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// One prompt to complete.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    /// The conversation so far; a job's prompt is one `user` message.
    pub messages: Vec<ChatMessage>,
    /// How tokens are drawn. `sampling.seed` is the job's; draw with `seed` instead.
    pub sampling: Sampling,
    /// Seed of this prompt alone.
    pub seed: u64,
    /// Cancelled when the answer is not wanted any more: stop within one step and answer `Cancelled`.
    pub cancel: CancellationToken,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The text, at most `limits::ANSWER_BYTES`; U+0000 already replaced by U+FFFD.
    pub text: String,
    /// True when U+0000 was replaced.
    pub had_nul: bool,
    /// Why generation stopped.
    pub finish_reason: FinishReason,
    /// Tokens; an endpoint that sends none is estimated and `usage_estimated` is set.
    pub usage: Usage,
    /// True when the endpoint sent no usage.
    pub usage_estimated: bool,
    /// Model that the endpoint says answered.
    pub model: String,
}

/// What to do about an error: the retry classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Try again, here or elsewhere.
    Transient,
    /// Try again after the time the endpoint named.
    Throttled,
    /// The prompt itself is too long; nobody with the same context size will do better.
    TooLong,
    /// This prompt will never succeed here.
    Permanent,
    /// Quota or credit is spent, or the key is refused: pause the endpoint and tell the user.
    Endpoint,
    /// The endpoint declined the content.
    Refused,
    /// The request was cancelled by its owner.
    Cancelled,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CompletionError {
    /// What to do about it.
    pub class: ErrorClass,
    /// A stable word for counts and filters, such as `http_500` or `connect`.
    pub code: &'static str,
    /// What happened, for people; never holds a secret.
    pub message: String,
    /// How long the endpoint asked to be left alone.
    pub retry_after: Option<Duration>,
}

/// Something that completes prompts.
///
/// One call is one prompt. A backend does its own batching and its own retries;
/// what it returns is final for this attempt.
pub trait Backend: Send + Sync {
    /// Completes one prompt; dropping the future also gives the answer up.
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>>;

    /// Prompts that are worth having under way at once.
    fn slots(&self) -> usize;

    /// Model asked for.
    fn model(&self) -> &str;

    /// SHA-256 of the model file and the kernels in use, where the backend knows them.
    fn provenance(&self) -> Provenance {
        Provenance::default()
    }
}

/// What is known of the model behind a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// SHA-256 of the model file, 64 hex digits.
    pub model_sha256: Option<String>,
    /// Kernels that compute, such as `x86-64-v3 f32`.
    pub instruction_set: Option<String>,
}

/// A backend shared between tasks.
pub type SharedBackend = Arc<dyn Backend>;
