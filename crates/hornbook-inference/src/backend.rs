//! The seam between whoever wants a prompt completed and whatever completes it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::{FinishReason, Sampling, Usage};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::limiter::{Admission, Limiter};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// What is to be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A conversation, which the model's chat template turns into text; a job's prompt is one
    /// `user` message.
    Messages(Vec<ChatMessage>),
    /// Text as it stands, with no chat template around it.
    Text(String),
}

impl Input {
    /// A conversation of one `user` message.
    pub fn user(content: impl Into<String>) -> Self {
        Self::Messages(vec![ChatMessage { role: "user".to_owned(), content: content.into() }])
    }

    /// The text, or what was said last; empty where nothing was.
    pub fn last(&self) -> &str {
        match self {
            Self::Messages(messages) => messages.last().map_or("", |message| &message.content),
            Self::Text(text) => text,
        }
    }

    /// Length of all that was said, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Messages(messages) => messages.iter().map(|message| message.content.len()).sum(),
            Self::Text(text) => text.len(),
        }
    }
}

/// One prompt to complete.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    /// What is to be continued.
    pub input: Input,
    /// How tokens are drawn. `sampling.seed` is the job's; draw with `seed` instead.
    pub sampling: Sampling,
    /// Seed of this prompt alone.
    pub seed: u64,
    /// Log-probabilities of the drawn tokens are wanted, with this many likeliest alternatives
    /// each, at most [`TOP_LOGPROBS_MAX`].
    pub logprobs: Option<u8>,
    /// Cancelled when the answer is not wanted any more: stop within one step and answer `Cancelled`.
    pub cancel: CancellationToken,
}

/// Most alternatives whose log-probabilities are told for one token: as many as OpenAI tells.
pub const TOP_LOGPROBS_MAX: u8 = 20;

/// One token and its natural log-probability.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token's bytes, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// The model's own: before bias, penalties, temperature and cuts, as vLLM tells it.
    pub logprob: f32,
}

/// A drawn token and what else might have been drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnLogprob {
    /// The token that was drawn.
    pub token: TokenLogprob,
    /// The likeliest tokens, falling; the drawn one may be among them.
    pub top: Vec<TokenLogprob>,
}

/// A part of an answer, as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Whole characters; all pieces together are the answer's text.
    pub text: String,
    /// Of the tokens behind `text`, where they were asked for.
    pub logprobs: Vec<DrawnLogprob>,
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
    /// One per token where they were asked for and the endpoint tells them, else none.
    pub logprobs: Vec<DrawnLogprob>,
    /// Tokens of earlier attempts at the same prompt that were paid for and of no use: whoever
    /// keeps accounts adds them to `usage`. They are no part of the answer.
    pub wasted: Usage,
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
    /// The endpoint is down or takes no more, and the prompt is not at fault: put it back, and
    /// whichever endpoint takes prompts takes it.
    Unavailable,
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
    /// Tokens that were paid for all the same, over all attempts; whoever keeps accounts charges
    /// them, whatever becomes of the prompt (also where it is put back for another try).
    ///
    /// An answer that was declined, had nothing in it or was too long was computed, so it counts:
    /// as the endpoint's usage says, or as estimated from lengths. Zero where the endpoint declined
    /// before it computed anything, and where nobody can know, as when a connection broke.
    pub usage: Usage,
}

impl CompletionError {
    /// An error that cost nothing and says nothing of when to come back.
    pub fn new(class: ErrorClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), retry_after: None, usage: Usage::default() }
    }

    /// The same of an attempt that was paid for.
    pub(crate) fn paid(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }
}

/// The tokens of both.
pub(crate) fn sum(one: Usage, other: Usage) -> Usage {
    Usage {
        prompt_tokens: one.prompt_tokens.saturating_add(other.prompt_tokens),
        completion_tokens: one.completion_tokens.saturating_add(other.completion_tokens),
        cached_tokens: one.cached_tokens.saturating_add(other.cached_tokens),
    }
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

    /// As [`complete`](Self::complete), and sends the answer's parts as they are written.
    ///
    /// A reader that lags gets fewer, longer pieces; one that goes away does not end the answer.
    /// A backend that cannot stream sends the whole answer as one piece.
    fn stream(
        &self,
        request: CompletionRequest,
        pieces: mpsc::Sender<Piece>,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            let completion = self.complete(request).await?;
            let logprobs = completion.logprobs.clone();
            let piece = Piece { text: completion.text.clone(), logprobs };
            // Nobody reads any more: the answer itself still says what was written.
            let _ = pieces.send(piece).await;
            Ok(completion)
        })
    }

    /// As [`complete`](Self::complete), for a request that [`limiter`](Self::limiter), or one that
    /// the caller keeps for a backend without, has admitted already.
    ///
    /// The first attempt uses this admission and gives it up with its answer; further ones queue
    /// in the limiter again.
    fn complete_admitted(
        &self,
        request: CompletionRequest,
        admission: Admission,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            let answer = self.complete(request).await;
            match &answer {
                Ok(Completion { usage, .. }) => {
                    let tokens = usage.prompt_tokens.saturating_add(usage.completion_tokens);
                    admission.settle(tokens);
                }
                // Estimates stand where nobody knows what it cost.
                Err(_) => drop(admission),
            }
            answer
        })
    }

    /// As [`complete_admitted`](Self::complete_admitted), and begins no further attempt once
    /// `no_more` is cancelled: what is under way then goes on to its end, and a prompt that would
    /// have to be sent again comes back as `Unavailable`.
    fn complete_until(
        &self,
        request: CompletionRequest,
        admission: Admission,
        no_more: CancellationToken,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        // Whoever makes one attempt has nothing to leave out.
        let _ = no_more;
        self.complete_admitted(request, admission)
    }

    /// What admits requests to this backend; `None` where it takes what [`slots`](Self::slots)
    /// says and needs no more care.
    fn limiter(&self) -> Option<Arc<Limiter>> {
        None
    }

    /// Prompts that are worth having under way at once.
    fn slots(&self) -> usize;

    /// Model asked for.
    fn model(&self) -> &str;

    /// False once the backend can answer nothing any more, as after a fault in its kernels; a new
    /// one must be made then.
    fn is_alive(&self) -> bool {
        true
    }

    /// How busy the backend is; `None` where it does not know.
    fn load(&self) -> Option<Load> {
        None
    }

    /// SHA-256 of the model file and the kernels in use, where the backend knows them.
    fn provenance(&self) -> Provenance {
        Provenance::default()
    }
}

/// How busy a backend is, and what it did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Prompts that wait for a slot.
    pub queued_prompts: u64,
    /// Sequences under way.
    pub running_sequences: u64,
    /// Pages of keys and values that there are.
    pub kv_pages: u64,
    /// Pages that sequences under way hold.
    pub kv_pages_held: u64,
    /// Pages that nobody holds, kept because a later prompt may begin with them.
    pub kv_pages_cached: u64,
    /// Tokens of prompts so far.
    pub prompt_tokens: u64,
    /// Tokens of prompts whose keys and values were found computed.
    pub cached_tokens: u64,
    /// Tokens drawn so far.
    pub completion_tokens: u64,
    /// Passes through the model so far.
    pub passes: u64,
    /// Rows of all passes so far: divided by `passes`, the mean batch.
    pub rows: u64,
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
