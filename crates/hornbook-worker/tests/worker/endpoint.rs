//! An endpoint whose answers a test decides.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hornbook_inference::{
    Ambient, Backend, Completion, CompletionError, CompletionRequest, ErrorClass, Limited, Limiter,
    Provenance, RetryPolicy, Retrying, SharedBackend,
};
use hornbook_types::{EndpointLimits, FinishReason, Usage};
use tokio::sync::watch;

/// What to answer to a prompt.
pub(crate) type Script =
    dyn Fn(&CompletionRequest) -> Result<String, (ErrorClass, &'static str)> + Send + Sync;

/// An endpoint that counts what it is asked, and that can be held up.
pub(crate) struct Scripted {
    script: Box<Script>,
    /// How long each answer takes.
    delay: Box<dyn Fn(&CompletionRequest) -> Duration + Send + Sync>,
    slots: usize,
    /// Tokens that each failure costs.
    pub(crate) failure_tokens: AtomicU64,
    /// How often each prompt was asked.
    asked: Mutex<BTreeMap<String, u32>>,
    /// Requests so far.
    begun: AtomicU64,
    /// Requests that may be answered; those after them wait.
    allowed: watch::Sender<u64>,
    /// Requests that wait.
    waiting: watch::Sender<usize>,
    /// Requests that were cancelled while they waited.
    pub(crate) cancelled: watch::Sender<usize>,
}

impl Scripted {
    pub(crate) fn new(
        slots: usize,
        script: impl Fn(&CompletionRequest) -> Result<String, (ErrorClass, &'static str)>
        + Send
        + Sync
        + 'static,
    ) -> Arc<Self> {
        Self::slow(slots, |_| Duration::ZERO, script)
    }

    /// Takes so long for each answer.
    pub(crate) fn slow(
        slots: usize,
        delay: impl Fn(&CompletionRequest) -> Duration + Send + Sync + 'static,
        script: impl Fn(&CompletionRequest) -> Result<String, (ErrorClass, &'static str)>
        + Send
        + Sync
        + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            delay: Box::new(delay),
            slots,
            failure_tokens: AtomicU64::new(0),
            asked: Mutex::default(),
            begun: AtomicU64::new(0),
            allowed: watch::Sender::new(u64::MAX),
            waiting: watch::Sender::new(0),
            cancelled: watch::Sender::new(0),
        })
    }

    /// Answers every prompt well.
    pub(crate) fn writer(slots: usize) -> Arc<Self> {
        Self::new(slots, |request| Ok(story(request.input.last())))
    }

    /// Answers no prompt until [`Scripted::release`].
    pub(crate) fn hold(&self) {
        self.hold_after(0);
    }

    /// Answers so many requests, counted from its first, and no more until [`Scripted::release`].
    pub(crate) fn hold_after(&self, requests: u64) {
        self.allowed.send_replace(requests);
    }

    pub(crate) fn release(&self) {
        self.allowed.send_replace(u64::MAX);
    }

    /// Waits until so many requests wait.
    pub(crate) async fn until_waiting(&self, count: usize) {
        self.waiting.subscribe().wait_for(|waiting| *waiting >= count).await.unwrap();
    }

    pub(crate) fn asked(&self) -> BTreeMap<String, u32> {
        self.asked.lock().unwrap().clone()
    }

    /// The endpoint behind a limiter and the table of retries.
    pub(crate) fn behind_limits(self: &Arc<Self>) -> SharedBackend {
        let ambient = Ambient::system(1);
        let limiter = Limiter::new(&EndpointLimits::default(), ambient.clone());
        let limited = Limited::new(Inner(Arc::clone(self)), limiter, ambient.clone());
        Arc::new(Retrying::new(limited, RetryPolicy::default(), ambient))
    }

    /// Requests in all.
    pub(crate) fn requests(&self) -> u32 {
        self.asked().values().sum()
    }
}

/// A text that passes every gate and differs from that of every other prompt.
pub(crate) fn story(prompt: &str) -> String {
    let topic = prompt.split_whitespace().last().unwrap_or_default();
    format!(
        "There was once a pond named {topic} where frogs sang, and every evening {topic} slept."
    )
}

impl Backend for Scripted {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        async move {
            let prompt = request.input.last().to_owned();
            *self.asked.lock().unwrap().entry(prompt).or_default() += 1;
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            let mut allowed = self.allowed.subscribe();
            self.waiting.send_modify(|waiting| *waiting += 1);
            let cancelled = tokio::select! {
                _ = allowed.wait_for(|allowed| number < *allowed) => false,
                () = request.cancel.cancelled() => true,
            };
            self.waiting.send_modify(|waiting| *waiting -= 1);
            let error =
                |class, code| CompletionError::new(class, code, format!("the script said {code}"));
            if cancelled {
                self.cancelled.send_modify(|count| *count += 1);
                return Err(error(ErrorClass::Cancelled, "cancelled"));
            }
            let delay = (self.delay)(&request);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let completion_tokens = self.failure_tokens.load(Ordering::SeqCst);
            let usage = Usage { completion_tokens, ..Usage::default() };
            let text = (self.script)(&request)
                .map_err(|(class, code)| CompletionError { usage, ..error(class, code) })?;
            let completion_tokens = text.split_whitespace().count() as u64;
            Ok(Completion {
                text,
                had_nul: false,
                finish_reason: FinishReason::Stop,
                usage: Usage { prompt_tokens: 5, completion_tokens, cached_tokens: 0 },
                usage_estimated: false,
                model: "scripted".to_owned(),
                logprobs: Vec::new(),
                wasted: Usage::default(),
            })
        }
        .boxed()
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn model(&self) -> &str {
        "scripted"
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            model_sha256: Some("ab".repeat(32)),
            instruction_set: Some("portable f32".to_owned()),
        }
    }
}

/// What stands behind a limiter.
struct Inner(Arc<Scripted>);

impl Backend for Inner {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.0.complete(request)
    }

    fn slots(&self) -> usize {
        self.0.slots()
    }

    fn model(&self) -> &str {
        self.0.model()
    }
}
