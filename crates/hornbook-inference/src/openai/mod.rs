//! Endpoints that speak the OpenAI chat completions protocol, or another over the same layers.

mod answer;
mod exchange;
mod options;
mod rate_headers;
mod request;
mod retry_after;
pub(crate) mod sparse;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::{EndpointKind, EndpointLimits, EndpointSpec};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::http::Client;
use crate::preset::{self, Preset};
use crate::{
    Admission, Ambient, Backend, Completion, CompletionError, CompletionRequest, Limited, Limiter,
    Provenance, RetryPolicy, Retrying, Secret,
};
pub(crate) use answer::Asked;
use exchange::Exchange;
pub(crate) use exchange::{conversation, endpoint_url, headers, transport};
pub use options::ConfigError;
pub(crate) use options::Options;
pub(crate) use request::{body as openai_body, decimal, merge};
pub(crate) use retry_after::retry_after;

/// Longest that one attempt may take, unless the options say otherwise.
pub const ATTEMPT_TIMEOUT_SECONDS: u64 = 600;

/// What an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
}

impl Protocol {
    /// Where prompts go, below the base URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/chat/completions",
            Self::Anthropic => "/messages",
        }
    }
}

/// How to reach an endpoint over HTTP.
///
/// `options` are merged into the body of every request, after the sampling fields: a value
/// replaces the field of that name, `null` takes it away. `model`, `messages`, `stream` and `n`
/// cannot be named. Some options are for this client and are not sent:
///
/// - `extra_sampling: true` adds `top_k`, `repetition_penalty`, `min_p` and `min_tokens`, which
///   servers such as vLLM, SGLang and llama.cpp take and OpenAI refuses;
/// - `hornbook_engine: true` is for a `hornbook engine`: it adds those, `stop_loops` and all bits
///   of the seed, so that the endpoint answers as `local` does with the same model file on the
///   same instruction set; the preset of that name does the same;
/// - `structured_output` says whether the server takes `response_format` with a JSON schema, where
///   its make is unknown or does not tell;
/// - `timeout_seconds` bounds one attempt (default 600);
/// - `batch_linger_seconds` (default 20) and `batch_poll_seconds` (default 10) are for an endpoint of
///   the kind `openai_batch`;
/// - `attempts` bounds how often one prompt is tried (default 6).
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// What the endpoint speaks.
    pub protocol: Protocol,
    /// What is known of its make.
    pub preset: &'static Preset,
    /// As the OpenAI clients spell it, ending in `/v1`.
    pub base_url: String,
    /// Model name sent with each request.
    pub model: String,
    /// Sent as the protocol has it: a bearer token, or `x-api-key`.
    pub api_key: Option<Secret>,
    /// What the endpoint allows.
    pub limits: EndpointLimits,
    /// Extra fields of the body, and those above.
    pub options: Map<String, Value>,
    /// How often and how patiently one prompt is tried.
    pub retry: RetryPolicy,
    /// Longest that one attempt may take.
    pub timeout: Duration,
}

impl OpenAiConfig {
    /// The configuration of an endpoint as stored, with its key.
    pub fn from_spec(spec: &EndpointSpec, api_key: Option<Secret>) -> Self {
        Self {
            protocol: match spec.kind {
                EndpointKind::Anthropic => Protocol::Anthropic,
                _ => Protocol::OpenAi,
            },
            preset: preset::row(spec.kind, spec.preset),
            base_url: spec.base_url.clone(),
            model: spec.model.clone(),
            api_key,
            limits: spec.limits.clone(),
            options: spec.options.clone(),
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(ATTEMPT_TIMEOUT_SECONDS),
        }
    }

    /// Checks URL, key and options without asking the endpoint.
    ///
    /// # Errors
    /// The first fault; never holds the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        Exchange::check(self)?;
        Options::parse(&self.options, self.preset).map(drop)
    }
}

/// An endpoint over HTTP: one request per prompt, limited and retried.
pub struct OpenAiBackend {
    layers: Retrying<Limited<Exchange>>,
}

impl OpenAiBackend {
    /// A backend that asks the endpoint of `config` through `client`.
    ///
    /// # Errors
    /// As [`OpenAiConfig::check`].
    pub fn new(
        config: OpenAiConfig,
        client: Client,
        ambient: Ambient,
    ) -> Result<Self, ConfigError> {
        let options = Options::parse(&config.options, config.preset)?;
        let retry = RetryPolicy {
            attempts: options.attempts.unwrap_or(config.retry.attempts),
            ..config.retry
        };
        let limiter = Limiter::new(&config.limits, ambient.clone());
        let clock = Arc::clone(&ambient.clock);
        let exchange = Exchange::new(&config, options, client, clock, Arc::clone(&limiter))?;
        let limited = Limited::new(exchange, limiter, ambient.clone());
        let layers = Retrying::new(limited, retry, ambient);
        Ok(Self { layers })
    }
}

impl Backend for OpenAiBackend {
    fn complete(
        &self,
        request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.layers.complete(request)
    }

    fn complete_admitted(
        &self,
        request: CompletionRequest,
        admission: Admission,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.layers.complete_admitted(request, admission)
    }

    fn complete_until(
        &self,
        request: CompletionRequest,
        admission: Admission,
        no_more: CancellationToken,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.layers.complete_until(request, admission, no_more)
    }

    fn limiter(&self) -> Option<Arc<Limiter>> {
        self.layers.limiter()
    }

    fn slots(&self) -> usize {
        self.layers.slots()
    }

    fn model(&self) -> &str {
        self.layers.model()
    }

    fn provenance(&self) -> Provenance {
        self.layers.provenance()
    }
}
