//! OpenAI's Batch API as a backend: half the price, and up to a day until an answer comes.
//!
//! Requests gather for a while, go off as one file (at most 50,000 of them or 200 MB) and are
//! awaited like any other. Each has an id made from its body, which is its `custom_id`; a
//! [`BatchJournal`] notes which ids went into which batch *before* the batch is made. So a request
//! that is asked again, by this process or after its death by another, finds the batch that it is
//! in already, and nothing is paid for twice. Answers are read line by line; those of a batch that
//! expired half way are kept, and the rest is tried again.

mod api;
mod attend;
mod desk;
mod gather;
mod journal;
mod limits;
mod make;
mod recover;
mod results;
mod room;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hornbook_types::Usage;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backend::sum;
use crate::http::Client;
use crate::limiter::{Admission, Limiter};
use crate::openai::{ConfigError, OpenAiConfig, Options, conversation, headers, openai_body};
use crate::retry::{RETRY_AFTER_CAP_SECONDS, is_retried};
use crate::retrying::cancelled;
use crate::streak::Streak;
use crate::{
    Ambient, Backend, ChatMessage, Completion, CompletionError, CompletionRequest, ErrorClass,
    Protocol, RetryPolicy,
};
use api::Api;
use attend::attend;
use desk::{Desk, Then};
use gather::gather;
pub use journal::{BatchJournal, OpenBatch, RequestId};
use room::Room;
use waiting::{Answer, Key, Question, Size, Unanswered};

/// Prompts that the Batch API answers, gathered and remembered.
pub struct BatchBackend {
    shared: Arc<Shared>,
    options: Options,
    retry: RetryPolicy,
    _closes: DropGuard,
}

impl BatchBackend {
    /// A backend that sends batches to the endpoint of `config` and notes them in `journal`.
    ///
    /// `limits.in_flight` is how many requests wait at once, and with it how large a batch gets.
    ///
    /// # Errors
    /// As [`OpenAiConfig::check`].
    pub fn new(
        config: OpenAiConfig,
        client: Client,
        ambient: Ambient,
        journal: Arc<dyn BatchJournal>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let options = Options::parse(&config.options, config.preset)?;
        let attempts = options.attempts.unwrap_or(config.retry.attempts);
        let api = Api {
            client,
            clock: Arc::clone(&ambient.clock),
            headers: headers(Protocol::OpenAi, config.api_key.as_ref())?,
            base_url: config.base_url,
            model: config.model,
            secret: config.api_key,
            row: options.row,
        };
        let closed = CancellationToken::new();
        let slots = config.limits.in_flight.unwrap_or(limits::SLOTS) as usize;
        let slots = slots.clamp(1, limits::BATCH_REQUESTS);
        let shared = Arc::new(Shared {
            api,
            journal,
            limiter: Limiter::steady(slots, ambient.clone()),
            ambient,
            desk: Desk::new(),
            room: Room::default(),
            streak: Streak::default(),
            linger: options.batch_linger.unwrap_or(limits::LINGER),
            poll: options.batch_poll.unwrap_or(limits::POLL),
            closed: closed.clone(),
        });
        let retry = RetryPolicy { attempts, ..config.retry };
        Ok(Self { shared, options, retry, _closes: closed.drop_guard() })
    }

    /// Asks as often as it takes, or as it may: what costs nothing is no attempt. Once `no_more` is
    /// cancelled, nothing is asked again.
    async fn attempts(
        &self,
        request: &CompletionRequest,
        no_more: &CancellationToken,
    ) -> Result<Completion, CompletionError> {
        let messages = conversation(request, &self.options)?;
        let _room = self.shared.room.take(&self.shared.limiter, request.input.bytes());
        let mut passed = Vec::new();
        let mut wasted = Usage::default();
        let mut attempt = 1;
        loop {
            let Unanswered { error, passed: without, is_free } =
                match self.ask(request, messages, &passed).await {
                    Ok(completion) => return Ok(Completion { wasted, ..completion }),
                    Err(unanswered) => unanswered,
                };
            wasted = sum(wasted, error.usage);
            passed.extend(without);
            if passed.len() > limits::PASSED_MAX {
                passed.remove(0);
            }
            if no_more.is_cancelled() && (is_free || is_retried(error.class)) {
                let class = ErrorClass::Unavailable;
                return Err(CompletionError { class, ..error }.paid(wasted));
            }
            if is_free {
                continue;
            }
            if !is_retried(error.class) || attempt >= self.retry.attempts {
                let mut error = error.paid(wasted);
                if error.class == ErrorClass::Throttled {
                    error.class = ErrorClass::Unavailable;
                }
                if attempt > 1 {
                    error.message = format!("{} (attempt {attempt})", error.message);
                }
                return Err(error);
            }
            let draw = self.shared.ambient.draw();
            tokio::select! {
                biased;
                () = no_more.cancelled() => {
                    let class = ErrorClass::Unavailable;
                    return Err(CompletionError { class, ..error }.paid(wasted));
                }
                () = self.shared.pause(self.retry.wait(attempt, error.retry_after, draw)) => {}
            }
            attempt += 1;
        }
    }

    async fn ask(
        &self,
        request: &CompletionRequest,
        messages: &[ChatMessage],
        passed: &[Key],
    ) -> Answer {
        let shared = &self.shared;
        let body = openai_body(&shared.api.model, &self.options, request, messages);
        let id = RequestId::of(body.to_string().as_bytes(), request.seed);
        let line = json!({
            "custom_id": id.to_string(), "method": "POST", "url": api::CHAT_PATH, "body": body,
        });
        let (answer, then) = shared.desk.ask(Question {
            id,
            line: Bytes::from(format!("{line}\n")),
            size: Size {
                prompt_bytes: request.input.bytes(),
                max_tokens: request.sampling.max_tokens,
            },
            passed: passed.to_vec(),
        });
        match then {
            Then::Nothing => {}
            Then::Gather => gather(shared),
            Then::Attend(key) => attend(shared, key),
        }
        answer.await.unwrap_or_else(|_| Err(cancelled().into()))
    }
}

impl Backend for BatchBackend {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            let admission = tokio::select! {
                biased;
                () = request.cancel.cancelled() => return Err(cancelled()),
                admission = self.shared.limiter.admit(0) => admission,
            };
            self.complete_admitted(request, admission).await
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
        Box::pin(async move {
            let _admission = admission;
            tokio::select! {
                biased;
                () = request.cancel.cancelled() => Err(cancelled()),
                answer = self.attempts(&request, &no_more) => answer,
            }
        })
    }

    fn limiter(&self) -> Option<Arc<Limiter>> {
        Some(Arc::clone(&self.shared.limiter))
    }

    fn slots(&self) -> usize {
        self.shared.limiter.window()
    }

    fn model(&self) -> &str {
        &self.shared.api.model
    }
}

/// What the tasks of one endpoint share.
struct Shared {
    api: Api,
    journal: Arc<dyn BatchJournal>,
    limiter: Arc<Limiter>,
    ambient: Ambient,
    desk: Desk,
    room: Room,
    streak: Streak,
    linger: Duration,
    poll: Duration,
    /// Cancelled with the backend: batches go on without us, and are found again.
    closed: CancellationToken,
}

impl Shared {
    /// Lets something go on by itself for as long as the backend is there.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Notes the provider's name for a batch; what the journal cannot take is found by our own.
    async fn named(&self, key: &Key, batch: &str) {
        self.desk.name(key, batch);
        if let Err(error) = self.journal.created(key, batch).await {
            tracing::warn!(error, batch, "cannot note the name of a batch");
        }
    }

    /// Forgets a batch that surely is no more, and tells whoever waits for it.
    async fn drop_batch(&self, key: &Key, why: &Unanswered) {
        // First in the journal: those who are told ask again, and must not find it there.
        self.forget(key).await;
        self.hold_if_paused(&why.error);
        self.desk.abandon(key, why);
    }

    /// Tells whoever waits for a batch that there is no answer now; the batch is kept.
    fn put_off(&self, key: &Key, error: CompletionError) {
        self.hold_if_paused(&error);
        self.desk.put_off(key, &error.into());
    }

    /// Until the endpoint is paused, nobody is taken in who would only be told the same.
    fn hold_if_paused(&self, error: &CompletionError) {
        if error.class == ErrorClass::Endpoint {
            self.limiter.hold(limits::ENDPOINT_HOLD);
        }
    }

    async fn forget(&self, key: &Key) {
        if let Err(error) = self.journal.forget(key).await {
            tracing::warn!(error, key = &**key, "cannot forget a batch");
        }
    }

    async fn pause(&self, time: Duration) {
        let timer = &self.ambient.timer;
        timer.sleep_until(timer.elapsed().saturating_add(time)).await;
    }

    fn patience(&self) -> Patience {
        Patience { next: self.poll, most: limits::POLL_CAP.max(self.poll) }
    }
}

/// How long to wait before the next try: longer each time, and never less than was asked for.
struct Patience {
    next: Duration,
    most: Duration,
}

impl Patience {
    fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next;
        self.next = wait.mul_f64(1.5).min(self.most);
        wait.max(asked.unwrap_or_default().min(Duration::from_secs(RETRY_AFTER_CAP_SECONDS)))
    }
}
