//! One attempt: a request and its answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::Clock;
use hornbook_types::limits::ANSWER_BYTES;

use super::answer::Asked;
use super::options::{ConfigError, Options};
use super::rate_headers::limits_left;
use super::retry_after::retry_after;
use super::{OpenAiConfig, Protocol, request};
use crate::anthropic;
use crate::http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use crate::http::{Client, HttpError, Method, Url, read_capped};
use crate::retry::classify_transport;
use crate::retrying::cancelled;
use crate::{
    Backend, ChatMessage, Completion, CompletionError, CompletionRequest, ErrorClass, Input,
    Limiter, Secret,
};

/// As much of a failure's body as is read.
const ERROR_BODY_BYTES: usize = 64 * 1024;

/// The innermost backend: no limits, no second attempt.
pub(super) struct Exchange {
    client: Client,
    clock: Arc<dyn Clock>,
    limiter: Arc<Limiter>,
    protocol: Protocol,
    url: Url,
    model: String,
    secret: Option<Secret>,
    headers: HeaderMap,
    options: Options,
    timeout: Duration,
}

impl Exchange {
    pub(super) fn new(
        config: &OpenAiConfig,
        options: Options,
        client: Client,
        clock: Arc<dyn Clock>,
        limiter: Arc<Limiter>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            client,
            clock,
            limiter,
            protocol: config.protocol,
            url: endpoint_url(&config.base_url, config.protocol.path())?,
            model: config.model.clone(),
            secret: config.api_key.clone(),
            headers: headers(config.protocol, config.api_key.as_ref())?,
            timeout: options.timeout.unwrap_or(config.timeout),
            options,
        })
    }

    pub(super) fn check(config: &OpenAiConfig) -> Result<(), ConfigError> {
        endpoint_url(&config.base_url, config.protocol.path())?;
        headers(config.protocol, config.api_key.as_ref()).map(drop)
    }

    async fn ask(&self, asked: &CompletionRequest) -> Result<Completion, CompletionError> {
        let messages = conversation(asked, &self.options)?;
        let body = match self.protocol {
            Protocol::OpenAi => request::body(&self.model, &self.options, asked, messages),
            Protocol::Anthropic => anthropic::body(&self.model, &self.options, asked, messages),
        };
        let request = self
            .client
            .request(Method::POST, &self.url)
            .map_err(transport)?
            .timeout(self.timeout)
            .headers(self.headers.clone())
            .json(&body);
        let response = self.client.send(request).await.map_err(transport)?;
        let facts = Asked {
            model: &self.model,
            prompt_bytes: asked.input.bytes(),
            secret: self.secret.as_ref(),
            row: &self.options.row,
        };
        self.limiter.observe(&limits_left(response.headers(), self.clock.as_ref()));
        let status = response.status();
        if status.is_success() {
            let body = match read_capped(response, ANSWER_BYTES).await {
                Ok(body) => body,
                // All of it was computed, and as much as it may be is what is known of it.
                Err(fault @ HttpError::TooLarge { .. }) => {
                    let (usage, _) =
                        facts.usage(None, Some(asked.sampling.max_tokens.into()), 0, "");
                    return Err(transport(fault).paid(usage));
                }
                Err(fault) => return Err(transport(fault)),
            };
            return match self.protocol {
                Protocol::OpenAi => facts.read_answer(&body),
                Protocol::Anthropic => anthropic::read_answer(&facts, &body),
            };
        }
        let wait = retry_after(response.headers(), self.clock.as_ref());
        // A failure whose body cannot be read is still that failure.
        let body = read_capped(response, ERROR_BODY_BYTES).await.ok();
        let mut error = facts.read_failure(status.as_u16(), body.as_deref().unwrap_or_default());
        error.retry_after = wait;
        Err(error)
    }
}

impl Backend for Exchange {
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
        usize::MAX
    }

    fn model(&self) -> &str {
        &self.model
    }
}

/// What is to be said, where the server can be asked at all.
pub(crate) fn conversation<'a>(
    asked: &'a CompletionRequest,
    options: &Options,
) -> Result<&'a [ChatMessage], CompletionError> {
    let refused = |code, message| CompletionError::new(ErrorClass::Permanent, code, message);
    // `/chat/completions` is what every such server has; bare text has no place in it.
    let Input::Messages(messages) = &asked.input else {
        return Err(refused("text_prompt", "this endpoint completes conversations, not bare text"));
    };
    // Said at submission already, unless the endpoint was changed since.
    if asked.sampling.response_format.is_some() && options.row.json_schema.is_none() {
        return Err(refused("response_format", "this endpoint cannot keep to a JSON schema"));
    }
    Ok(messages)
}

pub(crate) fn transport(error: HttpError) -> CompletionError {
    let (class, code) = classify_transport(&error);
    CompletionError::new(class, code, error.to_string())
}

/// `path` below the base URL.
pub(crate) fn endpoint_url(base_url: &str, path: &str) -> Result<Url, ConfigError> {
    let bad = |detail: &str| ConfigError::BadUrl(detail.to_owned());
    let mut url = Url::parse(base_url).map_err(|fault| bad(&fault.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("must be an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("must not hold a user name or password; give the key apart"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("must have no query and no fragment"));
    }
    let path = format!("{}{path}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// What every request carries: who asks, and for which version.
pub(crate) fn headers(protocol: Protocol, key: Option<&Secret>) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let (name, scheme) = match protocol {
        Protocol::OpenAi => (AUTHORIZATION, "Bearer "),
        Protocol::Anthropic => {
            let version = HeaderValue::from_static(anthropic::VERSION);
            headers.insert(HeaderName::from_static(anthropic::VERSION_HEADER), version);
            (HeaderName::from_static(anthropic::KEY_HEADER), "")
        }
    };
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(&format!("{scheme}{}", key.expose()))
            .map_err(|_| ConfigError::BadKey)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_joined_as_the_clients_do() {
        for base in ["http://h:1/v1", "http://h:1/v1/"] {
            let url = endpoint_url(base, Protocol::OpenAi.path()).unwrap();
            assert_eq!(url.as_str(), "http://h:1/v1/chat/completions");
        }
        let path = Protocol::Anthropic.path();
        assert_eq!(endpoint_url("https://h", path).unwrap().path(), "/messages");
        for bad in ["", "h/v1", "ftp://h", "http://u:p@h/v1", "http://h/v1?k=1", "file:///etc"] {
            assert!(endpoint_url(bad, "/x").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_not_shown() {
        for protocol in [Protocol::OpenAi, Protocol::Anthropic] {
            let fault = headers(protocol, Some(&Secret::new("sk-\n1"))).unwrap_err();
            assert!(!fault.to_string().contains("sk-"));
        }
    }
}
