//! A backend behind its endpoint's limits.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::limiter::Limiter;
use crate::retrying::cancelled;
use crate::{Backend, Completion, CompletionError, CompletionRequest, ErrorClass, Provenance};

/// Bytes of text that make a token, roughly, in English; for estimates only.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;

/// A backend that is asked only when its limiter admits.
pub struct Limited<B> {
    inner: B,
    limiter: Arc<Limiter>,
}

impl<B: Backend> Limited<B> {
    /// Puts `limiter` in front of `inner`.
    pub fn new(inner: B, limiter: Arc<Limiter>) -> Self {
        Self { inner, limiter }
    }

    async fn admitted(&self, request: CompletionRequest) -> Result<Completion, CompletionError> {
        let cancel = request.cancel.clone();
        let admission = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled()),
            admission = self.limiter.admit(estimate_tokens(&request)) => admission,
        };
        let answer = self.inner.complete(request).await;
        match &answer {
            Ok(completion) => {
                let usage = &completion.usage;
                admission.settle(usage.prompt_tokens.saturating_add(usage.completion_tokens));
            }
            Err(error) if costs_nothing(error.class) => admission.settle(0),
            // Whether a broken exchange was charged for is not known: the estimate stands.
            Err(_) => {}
        }
        answer
    }
}

/// True for errors that servers send before any token is computed.
fn costs_nothing(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Throttled
        | ErrorClass::TooLong
        | ErrorClass::Permanent
        | ErrorClass::Endpoint => true,
        ErrorClass::Transient | ErrorClass::Refused | ErrorClass::Cancelled => false,
    }
}

/// The most that a request may use; servers with token limits reckon in the same way.
fn estimate_tokens(request: &CompletionRequest) -> u64 {
    let bytes = request.input.bytes();
    (bytes as u64).div_ceil(BYTES_PER_TOKEN) + u64::from(request.sampling.max_tokens)
}

impl<B: Backend> Backend for Limited<B> {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.admitted(request))
    }

    fn slots(&self) -> usize {
        self.inner.slots().min(self.limiter.in_flight())
    }

    fn model(&self) -> &str {
        self.inner.model()
    }

    fn provenance(&self) -> Provenance {
        self.inner.provenance()
    }
}
