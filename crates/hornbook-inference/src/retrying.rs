//! Trying again, by the table.

use futures_util::future::BoxFuture;

use crate::retry::{RetryPolicy, is_retried};
use crate::{
    Ambient, Backend, Completion, CompletionError, CompletionRequest, ErrorClass, Provenance,
};

/// A backend whose passing errors are tried again.
pub struct Retrying<B> {
    inner: B,
    policy: RetryPolicy,
    ambient: Ambient,
}

impl<B: Backend> Retrying<B> {
    /// Puts `policy` around `inner`.
    pub fn new(inner: B, policy: RetryPolicy, ambient: Ambient) -> Self {
        Self { inner, policy, ambient }
    }

    async fn attempts(&self, request: CompletionRequest) -> Result<Completion, CompletionError> {
        let mut attempt = 1;
        loop {
            let mut error = match self.inner.complete(request.clone()).await {
                Ok(completion) => return Ok(completion),
                Err(error) => error,
            };
            if !is_retried(error.class) || attempt >= self.policy.attempts {
                if attempt > 1 {
                    error.message = format!("{} (attempt {attempt})", error.message);
                }
                return Err(error);
            }
            let wait = self.policy.wait(attempt, error.retry_after, self.ambient.draw());
            tracing::debug!(
                code = error.code,
                attempt,
                wait_millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "attempt failed, will try again"
            );
            let timer = &self.ambient.timer;
            tokio::select! {
                biased;
                () = request.cancel.cancelled() => return Err(cancelled()),
                () = timer.sleep_until(timer.elapsed().saturating_add(wait)) => {}
            }
            attempt += 1;
        }
    }
}

/// The error of a request whose owner took it back.
pub(crate) fn cancelled() -> CompletionError {
    CompletionError {
        class: ErrorClass::Cancelled,
        code: "cancelled",
        message: "cancelled by its owner".to_owned(),
        retry_after: None,
    }
}

impl<B: Backend> Backend for Retrying<B> {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.attempts(request))
    }

    fn slots(&self) -> usize {
        self.inner.slots()
    }

    fn model(&self) -> &str {
        self.inner.model()
    }

    fn provenance(&self) -> Provenance {
        self.inner.provenance()
    }
}
