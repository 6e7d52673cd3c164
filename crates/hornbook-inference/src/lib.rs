//! Completing prompts: the `Backend` seam, the guarded HTTP client and the OpenAI protocol.

mod backend;

pub use backend::{
    Backend, ChatMessage, Completion, CompletionError, CompletionRequest, ErrorClass, Provenance,
    SharedBackend,
};
