//! The errors that callers get, one constructor each.

use hornbook_inference::{CompletionError, ErrorClass};

use crate::text::PromptError;

fn error(class: ErrorClass, code: &'static str, message: String) -> CompletionError {
    CompletionError::new(class, code, message)
}

/// The caller gave the prompt up.
pub(crate) fn cancelled() -> CompletionError {
    error(ErrorClass::Cancelled, "cancelled", "the request was cancelled".to_owned())
}

/// The engine was asked to stop while the prompt was queued or under way.
pub(crate) fn stopped() -> CompletionError {
    error(ErrorClass::Transient, "engine_stopped", "the engine is shutting down".to_owned())
}

/// The engine's thread ended without being asked.
pub(crate) fn gone() -> CompletionError {
    error(ErrorClass::Endpoint, "engine_died", "the engine's thread ended; see the log".to_owned())
}

/// There is no room for the prompt though nothing else is under way.
pub(super) fn no_room() -> CompletionError {
    let message = "the memory for keys and values has no room for this prompt".to_owned();
    error(ErrorClass::TooLong, "no_room", message)
}

/// The logits hold no finite number for this prompt.
pub(super) fn no_token() -> CompletionError {
    let message = "the model computes no finite number for this prompt".to_owned();
    error(ErrorClass::Permanent, "no_token", message)
}

/// The prompt leaves no room for an answer.
pub(super) fn too_long(prompt_tokens: usize, context_tokens: usize) -> CompletionError {
    let message = format!(
        "the prompt has {prompt_tokens} tokens; with a context of {context_tokens} at most {} fit",
        context_tokens - 1,
    );
    error(ErrorClass::TooLong, "prompt_too_long", message)
}

/// The messages cannot become a prompt.
pub(super) fn bad_prompt(reason: &PromptError) -> CompletionError {
    error(ErrorClass::Permanent, "bad_prompt", reason.to_string())
}

/// The sampling settings are out of range.
pub(super) fn rejected(detail: String) -> CompletionError {
    error(ErrorClass::Permanent, "bad_sampling", detail)
}
