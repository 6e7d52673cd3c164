//! Trying again, by the table.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::limited::is_never_sent;
use crate::limiter::{Admission, Limiter};
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

    /// Only the first attempt comes with an admission; the others queue for one of their own,
    /// and hold none while they wait.
    async fn attempts(
        &self,
        request: CompletionRequest,
        mut admission: Option<Admission>,
    ) -> Result<Completion, CompletionError> {
        let mut attempt = 1;
        loop {
            let answer = match admission.take() {
                Some(admission) => self.inner.complete_admitted(request.clone(), admission).await,
                None => self.inner.complete(request.clone()).await,
            };
            let mut error = match answer {
                Ok(completion) => return Ok(completion),
                Err(error) => error,
            };
            if self.is_put_back(&error, attempt) {
                error.class = ErrorClass::Unavailable;
            }
            if !is_retried(error.class) || attempt >= self.policy.attempts {
                if attempt > 1 {
                    error.message = format!("{} (attempt {attempt})", error.message);
                }
                return Err(error);
            }
            self.back_off(&request, &error, attempt).await?;
            attempt += 1;
        }
    }

    /// True where the endpoint alone is at fault, so that another one may as well take the
    /// prompt: nothing answers there at all, or it puts off every attempt.
    fn is_put_back(&self, error: &CompletionError, attempt: u32) -> bool {
        match error.class {
            ErrorClass::Throttled => attempt >= self.policy.attempts,
            ErrorClass::Transient => {
                let is_down = || self.inner.limiter().is_some_and(|limiter| limiter.is_down());
                is_never_sent(error.code) && is_down()
            }
            _ => false,
        }
    }

    async fn back_off(
        &self,
        request: &CompletionRequest,
        error: &CompletionError,
        attempt: u32,
    ) -> Result<(), CompletionError> {
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
            () = request.cancel.cancelled() => Err(cancelled()),
            () = timer.sleep_until(timer.elapsed().saturating_add(wait)) => Ok(()),
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
        Box::pin(self.attempts(request, None))
    }

    fn complete_admitted(
        &self,
        request: CompletionRequest,
        admission: Admission,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.attempts(request, Some(admission)))
    }

    fn limiter(&self) -> Option<Arc<Limiter>> {
        self.inner.limiter()
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
