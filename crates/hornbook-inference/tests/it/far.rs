//! Endpoints that exist in a [`World`] alone: they note each request that arrives, and answer after a while.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_inference::{
    Backend, Completion, CompletionError, CompletionRequest, ErrorClass, Input, Limited, Limiter,
    RetryPolicy, Retrying, Timer as _, estimate,
};
use hornbook_types::{EndpointLimits, FinishReason, Sampling, Usage};
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// What becomes of the n-th request, and how long that takes.
pub(crate) type Nature = Box<dyn Fn(&Moment) -> (Duration, Fate) + Send + Sync>;

/// What an endpoint knows of a request when it arrives.
pub(crate) struct Moment {
    /// Requests that arrived before.
    pub(crate) number: u64,
    /// Requests under way, this one included.
    pub(crate) under_way: usize,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// An answer of this many percent of what it may be.
    Answered(u64),
    Throttled {
        retry_after: Option<Duration>,
    },
    Fails(&'static str),
}

/// One request as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Duration,
    pub(crate) seed: u64,
    /// What it used in the end, and what it may have used at most.
    pub(crate) used: u64,
    pub(crate) estimate: u64,
}

/// The endpoint itself, without limits and second attempts.
pub(crate) struct Far {
    world: World,
    nature: Nature,
    under_way: AtomicUsize,
    arrivals: Mutex<Vec<Arrival>>,
}

/// It as a job sees it.
pub(crate) type Asked = Retrying<Limited<Shared>>;

/// The endpoint, which the test keeps as well.
pub(crate) struct Shared(Arc<Far>);

impl Far {
    pub(crate) fn new(world: &World, nature: Nature) -> Arc<Self> {
        let world = world.clone();
        Arc::new(Self { world, nature, under_way: AtomicUsize::new(0), arrivals: Mutex::default() })
    }

    /// The endpoint behind its limits and the table of retries.
    pub(crate) fn behind(self: &Arc<Self>, limits: &EndpointLimits) -> Arc<Asked> {
        let ambient = self.world.ambient();
        let limiter = Limiter::new(limits, ambient.clone());
        let limited = Limited::new(Shared(Arc::clone(self)), limiter, ambient.clone());
        Arc::new(Retrying::new(limited, RetryPolicy::default(), ambient))
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    async fn answer(&self, request: CompletionRequest) -> Result<Completion, CompletionError> {
        let prompt = tokens_of(&request.input);
        let most = u64::from(request.sampling.max_tokens);
        let (wait, fate) = {
            let mut arrivals = self.arrivals.lock().unwrap();
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            let moment = Moment { number: arrivals.len() as u64, under_way };
            let (wait, fate) = (self.nature)(&moment);
            let used = match fate {
                Fate::Answered(percent) => prompt + most * percent / 100,
                Fate::Throttled { .. } | Fate::Fails(_) => 0,
            };
            let estimate = estimate(request.input.bytes(), request.sampling.max_tokens);
            let at = self.world.elapsed();
            arrivals.push(Arrival { at, seed: request.seed, used, estimate });
            (wait, fate)
        };
        self.world.sleep(wait).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let error = |class, code, retry_after| {
            Err(CompletionError { retry_after, ..CompletionError::new(class, code, "") })
        };
        match fate {
            Fate::Answered(percent) => Ok(answered(prompt, most * percent / 100)),
            Fate::Throttled { retry_after } => {
                error(ErrorClass::Throttled, "http_429", retry_after)
            }
            Fate::Fails(code) => error(ErrorClass::Transient, code, None),
        }
    }
}

fn tokens_of(input: &Input) -> u64 {
    (input.bytes() as u64).div_ceil(4)
}

pub(crate) fn answered(prompt_tokens: u64, completion_tokens: u64) -> Completion {
    Completion {
        text: "x".to_owned(),
        had_nul: false,
        finish_reason: FinishReason::Stop,
        usage: Usage { prompt_tokens, completion_tokens, cached_tokens: 0 },
        usage_estimated: false,
        model: "m".to_owned(),
        logprobs: Vec::new(),
        wasted: Usage::default(),
    }
}

impl Backend for Shared {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.0.answer(request))
    }

    fn slots(&self) -> usize {
        usize::MAX
    }

    fn model(&self) -> &str {
        "m"
    }
}

/// A prompt of so many tokens, told from others by its seed.
pub(crate) fn asked(seed: u64, prompt_tokens: usize, max_tokens: u32) -> CompletionRequest {
    CompletionRequest {
        input: Input::user("x".repeat(prompt_tokens * 4)),
        sampling: Sampling { max_tokens, ..Sampling::default() },
        seed,
        logprobs: None,
        cancel: CancellationToken::new(),
    }
}
