//! A backend behind its endpoint's limits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::Usage;

use crate::limiter::{Admission, Limiter, Outcome};
use crate::retry::RETRY_AFTER_HELD_SECONDS;
use crate::retrying::cancelled;
use crate::streak::Streak;
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
    streak: Streak,
}

impl<B: Backend> Limited<B> {
    /// Puts `limiter` in front of `inner`.
    pub fn new(inner: B, limiter: Arc<Limiter>, ambient: Ambient) -> Self {
        Self { inner, limiter, ambient, streak: Streak::default() }
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
        let answer = answer.map_err(|error| self.streak.judge(error, self.ambient.timer.elapsed()));
        match &answer {
            Ok(completion) => {
                self.streak.ends();
                // Measuring takes a turn, for which the endpoint need not wait.
                admission.free();
                let latency = self.latency_since(sent_at).await;
                let tokens = completion.usage.completion_tokens;
                admission.report(Outcome::Answered { latency, tokens });
                admission.settle(tokens_of(&completion.usage));
            }
            Err(error) => {
                if let Some(outcome) = outcome_of(error) {
                    if outcome != Outcome::Declined {
                        self.limiter.note_error(error.to_string());
                    }
                    admission.report(outcome);
                }
                if let Some(wait) = error.retry_after
                    && error.class == ErrorClass::Transient
                    && wait > Duration::from_secs(RETRY_AFTER_HELD_SECONDS)
                {
                    self.limiter.hold(wait);
                }
                // Whether a broken exchange was charged for is not known: the estimate stands.
                let spent = tokens_of(&error.usage);
                if spent > 0 || costs_nothing(error.class) {
                    admission.settle(spent);
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

fn tokens_of(usage: &Usage) -> u64 {
    usage.prompt_tokens.saturating_add(usage.completion_tokens)
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
        | ErrorClass::Refused
        | ErrorClass::Unavailable => Outcome::Declined,
        ErrorClass::Cancelled => return None,
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
pub(crate) fn estimate_tokens(request: &CompletionRequest) -> u64 {
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use hornbook_types::{EndpointLimits, FinishReason, Sampling, SystemClock, Usage};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::ambient::testing::LeapingTimer;
    use crate::{Input, RetryPolicy, Retrying, Timer};

    /// Answers what a test wrote down, each time after a second.
    struct Script {
        timer: Arc<LeapingTimer>,
        answers: Mutex<VecDeque<Result<(), (ErrorClass, &'static str)>>>,
    }

    impl Backend for Script {
        fn complete(
            &self,
            _request: CompletionRequest,
        ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
            self.timer.advance(Duration::from_secs(1));
            let answer = self.answers.lock().unwrap().pop_front().unwrap();
            let answer = answer
                .map(|()| completion())
                .map_err(|(class, code)| CompletionError::new(class, code, "").paid(price(code)));
            Box::pin(std::future::ready(answer))
        }

        fn slots(&self) -> usize {
            usize::MAX
        }

        fn model(&self) -> &str {
            "m"
        }
    }

    fn completion() -> Completion {
        Completion {
            text: "x".to_owned(),
            had_nul: false,
            finish_reason: FinishReason::Stop,
            usage: Usage { prompt_tokens: 30, completion_tokens: 70, cached_tokens: 0 },
            usage_estimated: false,
            model: "m".to_owned(),
            logprobs: Vec::new(),
            wasted: Usage::default(),
        }
    }

    /// What an answer costs that is of no use.
    fn price(code: &str) -> Usage {
        match code {
            "refusal" | "body_too_large" | "no_choices" => {
                Usage { prompt_tokens: 10, completion_tokens: 40, cached_tokens: 0 }
            }
            _ => Usage::default(),
        }
    }

    fn request() -> CompletionRequest {
        CompletionRequest {
            input: Input::user("x".repeat(400)),
            sampling: Sampling { max_tokens: 900, ..Sampling::default() },
            seed: 1,
            logprobs: None,
            cancel: CancellationToken::new(),
        }
    }

    fn limited(
        answers: Vec<Result<(), (ErrorClass, &'static str)>>,
    ) -> (Limited<Script>, Arc<LeapingTimer>, Ambient) {
        let timer = Arc::new(LeapingTimer::default());
        let ambient = Ambient::new(Arc::new(SystemClock), timer.clone(), 1);
        let limits = EndpointLimits { in_flight: Some(64), ..EndpointLimits::default() };
        let limiter = Limiter::new(&limits, ambient.clone());
        let script = Script { timer: timer.clone(), answers: Mutex::new(answers.into()) };
        (Limited::new(script, limiter, ambient.clone()), timer, ambient)
    }

    #[tokio::test]
    async fn tokens_are_charged_for_what_was_computed() {
        for (answer, tokens) in [
            (Ok(()), 100),
            (Err((ErrorClass::Throttled, "http_429")), 0),
            (Err((ErrorClass::Permanent, "http_400")), 0),
            // Nobody knows: the estimate stands.
            (Err((ErrorClass::Transient, "interrupted")), 1_000),
            // Computed and of no use.
            (Err((ErrorClass::Refused, "refusal")), 50),
            (Err((ErrorClass::Permanent, "body_too_large")), 50),
        ] {
            let (limited, ..) = limited(vec![answer]);
            let _ = limited.complete(request()).await;
            let figures = limited.limiter.figures();
            assert_eq!((figures.tokens_last_minute, figures.in_use), (tokens, 0), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn what_useless_attempts_cost_is_told() {
        let useless = Err((ErrorClass::Transient, "no_choices"));
        let (limited, _, ambient) = limited(vec![useless, useless, Ok(())]);
        let retrying = Retrying::new(limited, RetryPolicy::default(), ambient);
        let completion = retrying.complete(request()).await.unwrap();
        let tokens = |usage: Usage| (usage.prompt_tokens, usage.completion_tokens);
        assert_eq!((tokens(completion.usage), tokens(completion.wasted)), ((30, 70), (20, 80)));
        let (limited, _, ambient) =
            self::limited(vec![useless, useless, Err((ErrorClass::Refused, "refusal"))]);
        let retrying = Retrying::new(limited, RetryPolicy::default(), ambient);
        let error = retrying.complete(request()).await.unwrap_err();
        assert_eq!((error.code, tokens(error.usage)), ("refusal", (30, 120)));
    }

    #[tokio::test]
    async fn time_that_an_answer_waits_here_is_not_the_endpoints() {
        let (limited, timer, _) = limited(Vec::new());
        let hog = {
            let timer = timer.clone();
            tokio::spawn(async move {
                loop {
                    timer.advance(Duration::from_millis(100));
                    tokio::task::yield_now().await;
                }
            })
        };
        timer.advance(Duration::from_secs(2));
        let latency = limited.latency_since(Duration::from_secs(1)).await;
        hog.abort();
        assert_eq!(latency, Duration::from_millis(700), "a second less three turns of 100 ms");
    }

    #[tokio::test]
    async fn a_slot_is_free_while_a_request_backs_off() {
        let failure = Err((ErrorClass::Transient, "http_500"));
        let (limited, timer, ambient) = limited(vec![failure, Ok(()), Ok(())]);
        limited.limiter.set_share(Some(1), None, None);
        let limiter = Arc::clone(&limited.limiter);
        let retrying = Retrying::new(limited, RetryPolicy::default(), ambient);
        let admission = limiter.admit(1).await;
        let first = retrying.complete_admitted(request(), admission);
        // The other gets the only slot although the first has not ended.
        let second = async {
            let _admission = limiter.admit(1).await;
            timer.elapsed()
        };
        let (first, second_at) = tokio::join!(first, second);
        assert!(first.is_ok());
        assert!(second_at <= Duration::from_secs(1), "{second_at:?}");
    }

    #[tokio::test]
    async fn what_a_prompt_meets_at_an_endpoint_that_goes_down() {
        use ErrorClass::{Throttled, Transient, Unavailable};
        let run = async |class, code| {
            let (limited, _, ambient) = limited(vec![Err((class, code)); 64]);
            let retrying = Retrying::new(limited, RetryPolicy::default(), ambient);
            let mut ends = Vec::new();
            for _ in 0..3 {
                let error = retrying.complete(request()).await.unwrap_err();
                assert_eq!(error.code, code);
                let requests = retrying.limiter().unwrap().figures().requests;
                ends.push((error.class, requests));
            }
            ends
        };
        // The first has its attempts, under the second it goes down, the third is a probe, and has
        // its attempts where something answers: it may be that the prompts are at fault.
        let ends = run(Transient, "http_500").await;
        assert_eq!(ends, [(Transient, 6), (Unavailable, 8), (Transient, 14)]);
        let ends = run(Transient, "connect").await;
        assert_eq!(ends, [(Transient, 6), (Unavailable, 8), (Unavailable, 9)]);
        // Nobody waits long for an endpoint that says no to everybody.
        let ends = run(Throttled, "http_429").await;
        assert_eq!(ends, [(Unavailable, 4), (Unavailable, 5), (Unavailable, 6)]);
    }
}
