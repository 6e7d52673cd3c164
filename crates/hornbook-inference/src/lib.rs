//! Completing prompts: the `Backend` seam, the guarded HTTP client and the OpenAI protocol.
//!
//! A backend for an OpenAI-compatible endpoint is three layers, each a [`Backend`] of its own:
//! [`Retrying`] (what to do about an error, from the one table in `retry.rs`) around
//! [`Limited`] (what the endpoint allows) around one HTTP exchange. Every attempt passes
//! the limiter, so retries count against an endpoint's limits like anything else.

mod ambient;
mod anthropic;
mod backend;
pub mod batch;
mod embedder;
pub mod http;
mod limited;
pub mod limiter;
mod message;
mod model_name;
pub mod openai;
mod pool;
pub mod preset;
pub mod retry;
mod retrying;
mod secret;
mod streak;

pub use ambient::{Ambient, SharedTimer, Timer, TokioTimer};
pub use backend::{
    Backend, ChatMessage, Completion, CompletionError, CompletionRequest, DrawnLogprob, ErrorClass,
    Input, Load, Piece, Provenance, SharedBackend, TOP_LOGPROBS_MAX, TokenLogprob,
};
pub use batch::{BatchBackend, BatchJournal};
pub use embedder::{Embedder, Embedding, EmbeddingRequest, SharedEmbedder};
pub use limited::{Limited, estimate};
pub use limiter::{Admission, EndpointHealth, Limiter, LimiterFigures, LimitsLeft, Outcome};
pub use message::{MESSAGE_CHARS, clean};
pub use model_name::is_other_model;
pub use openai::{OpenAiBackend, OpenAiConfig, Protocol};
pub use pool::EndpointPool;
pub use retry::{RetryPolicy, is_put_off};
pub use retrying::Retrying;
pub use secret::Secret;
