//! Endpoints that speak the OpenAI chat completions protocol.

mod answer;
mod exchange;
mod options;
mod rate_headers;
mod request;
mod retry_after;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::{EndpointLimits, EndpointSpec};
use serde_json::{Map, Value};

use crate::http::Client;
use crate::{
    Admission, Ambient, Backend, Completion, CompletionError, CompletionRequest, Limited, Limiter,
    Provenance, RetryPolicy, Retrying, Secret,
};
use exchange::Exchange;
pub use options::ConfigError;
use options::Options;

/// Longest that one attempt may take, unless the options say otherwise.
pub const ATTEMPT_TIMEOUT_SECONDS: u64 = 600;

/// How to reach an OpenAI-compatible endpoint.
///
/// `options` are merged into the body of every request, after the sampling fields: a value
/// replaces the field of that name, `null` takes it away. `model`, `messages`, `stream` and `n`
/// cannot be named. Four options are for this client and are not sent:
///
/// - `extra_sampling: true` adds `top_k`, `repetition_penalty`, `min_p` and `min_tokens`, which
///   servers such as vLLM, SGLang and llama.cpp take and OpenAI refuses;
/// - `hornbook_engine: true` is for a `hornbook engine`: it adds those, `stop_loops` and all bits
///   of the seed, so that the endpoint answers as `local` does with the same model file on the
///   same instruction set;
/// - `timeout_seconds` bounds one attempt (default 600);
/// - `attempts` bounds how often one prompt is tried (default 6).
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// As the OpenAI clients spell it, ending in `/v1`.
    pub base_url: String,
    /// Model name sent with each request.
    pub model: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// What the endpoint allows.
    pub limits: EndpointLimits,
    /// Extra fields of the body, and the four above.
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
        Options::parse(&self.options).map(drop)
    }
}

/// An OpenAI-compatible endpoint: one request per prompt, limited and retried.
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
        let options = Options::parse(&config.options)?;
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
