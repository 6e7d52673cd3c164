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

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hornbook_types::EndpointLimits;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::http::Client;
use crate::openai::{
    ConfigError, OpenAiConfig, Options, headers, openai_body, schema_refused, text_refused,
};
use crate::retrying::cancelled;
use crate::{
    Ambient, Backend, Completion, CompletionError, CompletionRequest, Input, Protocol, RetryPolicy,
    Retrying,
};
use api::Api;
use attend::attend;
use desk::{Desk, Key, Then};
use gather::gather;
pub use journal::{BatchJournal, OpenBatch, RequestId};

/// Prompts that the Batch API answers, gathered and remembered.
pub struct BatchBackend {
    layers: Retrying<Gatherer>,
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
            headers: headers(Protocol::OpenAi, config.api_key.as_ref())?,
            base_url: config.base_url,
            model: config.model,
            secret: config.api_key,
            row: options.row,
        };
        let closed = CancellationToken::new();
        let shared = Arc::new(Shared {
            api,
            journal,
            ambient: ambient.clone(),
            desk: Desk::default(),
            linger: options.batch_linger.unwrap_or(limits::LINGER),
            poll: options.batch_poll.unwrap_or(limits::POLL),
            closed: closed.clone(),
        });
        let gatherer = Gatherer {
            shared,
            options,
            slots: slots(&config.limits),
            _closes: closed.drop_guard(),
        };
        let retry = RetryPolicy { attempts, ..config.retry };
        Ok(Self { layers: Retrying::new(gatherer, retry, ambient) })
    }
}

fn slots(limits: &EndpointLimits) -> usize {
    let slots = limits.in_flight.unwrap_or(limits::SLOTS) as usize;
    slots.clamp(1, limits::BATCH_REQUESTS)
}

impl Backend for BatchBackend {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.layers.complete(request)
    }

    fn slots(&self) -> usize {
        self.layers.slots()
    }

    fn model(&self) -> &str {
        self.layers.model()
    }
}

/// What the tasks of one endpoint share.
struct Shared {
    api: Api,
    journal: Arc<dyn BatchJournal>,
    ambient: Ambient,
    desk: Desk,
    linger: Duration,
    poll: Duration,
    /// Cancelled with the backend: batches go on without us, and are found again.
    closed: CancellationToken,
}

impl Shared {
    /// Notes the provider's name for a batch; what the journal cannot take is found by our own.
    async fn named(&self, key: &Key, batch: &str) {
        self.desk.name(key, batch);
        if let Err(error) = self.journal.created(key, batch).await {
            tracing::warn!(error, batch, "cannot note the name of a batch");
        }
    }

    /// Forgets a batch that is no more, and tells whoever waits for it.
    async fn abandon(&self, key: &Key, error: &CompletionError) {
        // First in the journal: those who are told ask again, and must not find it there.
        self.forget(key).await;
        self.desk.abandon(key, error);
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
}

/// One attempt: a place in a batch, and its answer.
struct Gatherer {
    shared: Arc<Shared>,
    options: Options,
    slots: usize,
    _closes: DropGuard,
}

impl Gatherer {
    async fn ask(&self, request: &CompletionRequest) -> Result<Completion, CompletionError> {
        let Input::Messages(messages) = &request.input else { return Err(text_refused()) };
        if request.sampling.response_format.is_some() && self.options.row.json_schema.is_none() {
            return Err(schema_refused());
        }
        let shared = &self.shared;
        let body = openai_body(&shared.api.model, &self.options, request, messages);
        let id = RequestId::of(body.to_string().as_bytes(), request.seed);
        let line = json!({
            "custom_id": id.to_string(), "method": "POST", "url": api::CHAT_PATH, "body": body,
        });
        let line = Bytes::from(format!("{line}\n"));
        let (answer, then) = shared.desk.ask(id, line, request.input.bytes());
        match then {
            Then::Nothing => {}
            Then::Gather => gather(shared),
            Then::Attend(key) => attend(shared, key),
        }
        answer.await.unwrap_or_else(|_| Err(cancelled()))
    }
}

impl Backend for Gatherer {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = request.cancel.cancelled() => Err(cancelled()),
                answer = self.ask(&request) => answer,
            }
        })
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn model(&self) -> &str {
        &self.shared.api.model
    }
}
