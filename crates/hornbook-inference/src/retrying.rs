//! Trying again, by the table.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hornbook_types::Usage;
use tokio_util::sync::CancellationToken;

use crate::backend::sum;
use crate::limited::{estimate_tokens, is_never_sent};
use crate::limiter::{Admission, Limiter, Trouble};
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

    /// Only the first attempt may come with an admission; the others queue for one of their own,
    /// and hold none while they wait. None begins once `no_more` is cancelled.
    async fn attempts(
        &self,
        request: CompletionRequest,
        mut admission: Option<Admission>,
        no_more: CancellationToken,
    ) -> Result<Completion, CompletionError> {
        let mut attempt = 1;
        let mut wasted = Usage::default();
        loop {
            let is_probe = admission.as_ref().is_some_and(Admission::is_probe);
            let answer = match admission.take() {
                Some(admission) => self.inner.complete_admitted(request.clone(), admission).await,
                None => self.inner.complete(request.clone()).await,
            };
            let error = match answer {
                Ok(completion) => {
                    return Ok(Completion { wasted: sum(completion.wasted, wasted), ..completion });
                }
                Err(error) => Failure { error, is_probe },
            };
            wasted = sum(wasted, error.error.usage);
            if !is_retried(error.error.class) || attempt >= self.policy.attempts {
                return Err(self.last(error, attempt).paid(wasted));
            }
            admission = match self.next_admission(&request, &error, attempt, &no_more).await {
                Ok(Next::Attempt(admission)) => admission,
                Ok(Next::PutBack) => {
                    let class = ErrorClass::Unavailable;
                    let error = CompletionError { class, ..self.last(error, attempt) };
                    return Err(error.paid(wasted));
                }
                Err(cancelled) => return Err(cancelled.paid(wasted)),
            };
            attempt += 1;
        }
    }

    /// The error that an attempt after which there is no other ends with.
    fn last(&self, failure: Failure, attempt: u32) -> CompletionError {
        let trouble = self.inner.limiter().map(|limiter| limiter.trouble()).unwrap_or_default();
        let is_put_back = failure.is_put_back(trouble) || self.is_long(&failure);
        let mut error = failure.error;
        // An endpoint that puts off every attempt is at fault alone.
        if is_put_back || error.class == ErrorClass::Throttled {
            error.class = ErrorClass::Unavailable;
        }
        if attempt > 1 {
            error.message = format!("{} (attempt {attempt})", error.message);
        }
        error
    }

    /// Backs off and queues, unless it turns out meanwhile that nothing more is to be sent, or that
    /// the endpoint is not worth waiting for: another one may take the prompt at once.
    async fn next_admission(
        &self,
        request: &CompletionRequest,
        failure: &Failure,
        attempt: u32,
        no_more: &CancellationToken,
    ) -> Result<Next, CompletionError> {
        if self.is_long(failure) {
            return Ok(Next::PutBack);
        }
        let Some(limiter) = self.inner.limiter() else {
            return tokio::select! {
                biased;
                () = no_more.cancelled() => Ok(Next::PutBack),
                waited = self.back_off(request, &failure.error, attempt) => {
                    waited.map(|()| Next::Attempt(None))
                }
            };
        };
        let admitted = async {
            self.back_off(request, &failure.error, attempt).await?;
            Ok(limiter.admit(estimate_tokens(request)).await)
        };
        tokio::select! {
            biased;
            () = request.cancel.cancelled() => Err(cancelled()),
            () = no_more.cancelled() => Ok(Next::PutBack),
            () = limiter.in_trouble(|trouble| failure.is_put_back(trouble)) => Ok(Next::PutBack),
            admission = admitted => Ok(Next::Attempt(Some(admission?))),
        }
    }

    /// True where the endpoint asked for a longer wait than anybody waits with a prompt in hand.
    fn is_long(&self, failure: &Failure) -> bool {
        let asked = failure.error.retry_after;
        is_retried(failure.error.class) && asked.is_some_and(|it| it > self.policy.retry_after_cap)
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

/// How an attempt failed.
struct Failure {
    error: CompletionError,
    /// It was sent to find out whether the endpoint is up again.
    is_probe: bool,
}

/// What follows on a failed attempt.
enum Next {
    Attempt(Option<Admission>),
    PutBack,
}

impl Failure {
    /// True where the endpoint alone is at fault, so that another one may as well take the prompt:
    /// nothing answers there, or it puts off everybody, or it went down while this was under way.
    ///
    /// A probe that something answered has its attempts: it may be that the prompts are at fault,
    /// and what is always put back never ends.
    fn is_put_back(&self, trouble: Trouble) -> bool {
        match self.error.class {
            ErrorClass::Throttled | ErrorClass::Transient if trouble.is_put_off => true,
            ErrorClass::Throttled => trouble.is_down || trouble.is_refusing,
            ErrorClass::Transient => {
                trouble.is_down && (is_never_sent(self.error.code) || !self.is_probe)
            }
            _ => false,
        }
    }
}

/// The error of a request whose owner took it back.
pub(crate) fn cancelled() -> CompletionError {
    CompletionError::new(ErrorClass::Cancelled, "cancelled", "cancelled by its owner")
}

impl<B: Backend> Backend for Retrying<B> {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            // Queued for here, so that it is known whether it is a probe.
            let admission = match self.inner.limiter() {
                Some(limiter) => tokio::select! {
                    biased;
                    () = request.cancel.cancelled() => return Err(cancelled()),
                    admission = limiter.admit(estimate_tokens(&request)) => Some(admission),
                },
                None => None,
            };
            self.attempts(request, admission, CancellationToken::new()).await
        })
    }

    fn complete_admitted(
        &self,
        request: CompletionRequest,
        admission: Admission,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.complete_until(request, admission, CancellationToken::new())
    }

    fn complete_until(
        &self,
        request: CompletionRequest,
        admission: Admission,
        no_more: CancellationToken,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.attempts(request, Some(admission), no_more))
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
