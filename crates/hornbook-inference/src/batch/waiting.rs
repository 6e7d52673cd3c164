//! Requests that somebody waits for, and what they are told.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::journal::RequestId;
use crate::{Completion, CompletionError, ErrorClass};

/// What becomes of one request.
pub(super) type Answer = Result<Completion, Unanswered>;
/// Our own name for a batch.
pub(super) type Key = Arc<str>;

/// Why a request has no answer, and what that means for the next try.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    pub(super) error: CompletionError,
    /// The batch that has no answer to it, so that it is not looked for there again.
    pub(super) passed: Option<Key>,
    /// It never came to be asked: the next try is no second one.
    pub(super) is_free: bool,
}

impl From<CompletionError> for Unanswered {
    fn from(error: CompletionError) -> Self {
        Self { error, passed: None, is_free: false }
    }
}

impl Unanswered {
    /// Of a request that was never looked at.
    pub(super) fn again(code: &'static str, message: &str) -> Self {
        let error = CompletionError::new(ErrorClass::Transient, code, message);
        Self { is_free: true, ..error.into() }
    }
}

/// What must be known of a request that is asked.
pub(super) struct Question {
    pub(super) id: RequestId,
    pub(super) line: Bytes,
    pub(super) size: Size,
    /// Batches that have no answer to it.
    pub(super) passed: Vec<Key>,
}

/// How much a request asks and may be answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) prompt_bytes: usize,
    pub(super) max_tokens: u32,
}

/// A request that somebody waits for.
pub(super) struct Waiting {
    /// Its line, until it is in a file.
    pub(super) line: Option<Bytes>,
    pub(super) size: Size,
    pub(super) passed: Vec<Key>,
    pub(super) askers: Vec<oneshot::Sender<Answer>>,
}

impl Waiting {
    /// True where somebody waits for it still.
    pub(super) fn is_wanted(&self) -> bool {
        self.askers.iter().any(|asker| !asker.is_closed())
    }
}

/// Tells all who wait for one request.
pub(super) fn tell(waiting: Waiting, answer: &Answer) {
    for asker in waiting.askers {
        // Who went away does not want it any more.
        let _ = asker.send(answer.clone());
    }
}

/// Tells all of them; of an error that pauses the endpoint one hears so, and the others that it is
/// not to be had: to be paused once is enough.
pub(super) fn tell_all(told: Vec<Waiting>, why: &Unanswered) {
    let mut why = why.clone();
    for asker in told.into_iter().flat_map(|waiting| waiting.askers) {
        let is_heard = asker.send(Err(why.clone())).is_ok();
        if is_heard && why.error.class == ErrorClass::Endpoint {
            why.error.class = ErrorClass::Unavailable;
        }
    }
}
