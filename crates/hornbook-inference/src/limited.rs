//! A backend behind its endpoint's limits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::limiter::{Admission, Limiter, Outcome};
use crate::retrying::cancelled;
use crate::{
    Ambient, Backend, Completion, CompletionError, CompletionRequest, ErrorClass, Provenance,
};

/// Bytes of text that make a token, roughly, in English; for estimates only.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
/// Turns of the ready queue that an exchange waits for in this process: to be written, to be
/// read, to be looked at.
const TURNS_PER_EXCHANGE: u32 = 3;

/// A backend that is asked only when its limiter admits.
pub struct Limited<B> {
    inner: B,
    limiter: Arc<Limiter>,
    ambient: Ambient,
}

impl<B: Backend> Limited<B> {
    /// Puts `limiter` in front of `inner`.
    pub fn new(inner: B, limiter: Arc<Limiter>, ambient: Ambient) -> Self {
        Self { inner, limiter, ambient }
    }

    async fn queued(&self, request: CompletionRequest) -> Result<Completion, CompletionError> {
        let cancel = request.cancel.clone();
        let admission = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled()),
            admission = self.limiter.admit(estimate_tokens(&request)) => admission,
        };
        self.admitted(request, admission).await
    }

    async fn admitted(
        &self,
        request: CompletionRequest,
        mut admission: Admission,
    ) -> Result<Completion, CompletionError> {
        let sent_at = admission.send();
        let answer = self.inner.complete(request).await;
        match &answer {
            Ok(completion) => {
                let latency = self.latency_since(sent_at).await;
                let usage = &completion.usage;
                let tokens = usage.completion_tokens;
                admission.report(Outcome::Answered { latency, tokens });
                admission.settle(usage.prompt_tokens.saturating_add(tokens));
            }
            Err(error) => {
                if let Some(outcome) = outcome_of(error) {
                    admission.report(outcome);
                }
                // Whether a broken exchange was charged for is not known: the estimate stands.
                if costs_nothing(error.class) {
                    admission.settle(0);
                }
            }
        }
        answer
    }

    /// How long the endpoint took, without the time for which the exchange waited here.
    ///
    /// A turn of the ready queue is measured by taking one: what is ready now waits as long as
    /// what was ready a moment ago.
    async fn latency_since(&self, sent_at: Duration) -> Duration {
        let ended_at = self.ambient.timer.elapsed();
        tokio::task::yield_now().await;
        let turn = self.ambient.timer.elapsed().saturating_sub(ended_at);
        ended_at.saturating_sub(sent_at).saturating_sub(turn.saturating_mul(TURNS_PER_EXCHANGE))
    }
}

/// What an error says of its endpoint; a request that was taken back says nothing.
fn outcome_of(error: &CompletionError) -> Option<Outcome> {
    Some(match error.class {
        ErrorClass::Throttled => Outcome::Throttled {
            retry_after: error.retry_after,
            is_unavailable: error.code == "http_503",
        },
        ErrorClass::Transient => Outcome::Failed { is_reached: !is_never_sent(error.code) },
        ErrorClass::TooLong
        | ErrorClass::Permanent
        | ErrorClass::Endpoint
        | ErrorClass::Refused => Outcome::Declined,
        ErrorClass::Unavailable | ErrorClass::Cancelled => return None,
    })
}

/// True where no connection came about: whatever was wrong, it was not the prompt.
pub(crate) fn is_never_sent(code: &str) -> bool {
    matches!(code, "dns" | "connect" | "tls")
}

/// True for errors that servers send before any token is computed.
fn costs_nothing(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Throttled
        | ErrorClass::TooLong
        | ErrorClass::Permanent
        | ErrorClass::Endpoint
        | ErrorClass::Unavailable => true,
        ErrorClass::Transient | ErrorClass::Refused | ErrorClass::Cancelled => false,
    }
}

/// The most that a request may use; servers with token limits reckon in the same way.
fn estimate_tokens(request: &CompletionRequest) -> u64 {
    estimate(request.input.bytes(), request.sampling.max_tokens)
}

/// The most tokens that a prompt of so many bytes and its answer may use, roughly.
pub fn estimate(prompt_bytes: usize, max_tokens: u32) -> u64 {
    (prompt_bytes as u64).div_ceil(BYTES_PER_TOKEN) + u64::from(max_tokens)
}

impl<B: Backend> Backend for Limited<B> {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.queued(request))
    }

    fn complete_admitted(
        &self,
        request: CompletionRequest,
        admission: Admission,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.admitted(request, admission))
    }

    fn limiter(&self) -> Option<Arc<Limiter>> {
        Some(Arc::clone(&self.limiter))
    }

    fn slots(&self) -> usize {
        self.inner.slots().min(self.limiter.window())
    }

    fn model(&self) -> &str {
        self.inner.model()
    }

    fn provenance(&self) -> Provenance {
        self.inner.provenance()
    }
}
