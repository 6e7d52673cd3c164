//! Which rows the next pass computes, and what becomes of its logits.

mod answer;
mod scheduler;
mod sequence;

pub(crate) use answer::{cancelled, gone, stopped};
pub(crate) use scheduler::{Desk, Scheduler};

use hornbook_inference::{Completion, CompletionError, CompletionRequest};
use tokio::sync::oneshot;

/// What a caller gets.
pub(crate) type Answer = Result<Completion, CompletionError>;

/// One prompt on its way to the engine's thread. Dropping the receiver of `reply` gives it up.
pub(crate) struct Work {
    pub(crate) request: CompletionRequest,
    pub(crate) reply: oneshot::Sender<Answer>,
}
