//! Requests to the Hub: the token where it belongs, patience where it helps, refusals by name.

use std::time::Duration;

use bytes::Bytes;
use hornbook_inference::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hornbook_inference::http::{
    Client, HttpError, Method, RequestBuilder, Response, StatusCode, Url, read_capped,
};
use hornbook_inference::{MESSAGE_CHARS, clean};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::limits::{ANSWER_BYTES, ANSWER_SECONDS, PAUSE_SECONDS, RETRY_MILLIS, TRIES};
use super::{PushError, PushSpec};

/// The Hub at one endpoint.
pub(super) struct Api<'a> {
    pub(super) client: &'a Client,
    pub(super) spec: &'a PushSpec,
    pub(super) endpoint: Url,
}

/// What became of one try.
pub(super) enum Tried {
    /// An answer; good or bad, it will not change.
    Answer(Response),
    /// Try again, no sooner than the server says.
    Again { why: PushError, pause: Option<Duration> },
}

impl<'a> Api<'a> {
    pub(super) fn new(client: &'a Client, spec: &'a PushSpec) -> Result<Self, PushError> {
        spec.owner_and_name()?;
        spec.check_revision()?;
        Ok(Self { client, spec, endpoint: spec.endpoint()? })
    }

    /// A URL of the endpoint; segments are escaped, so that a branch's slash is one.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// A URL below the repository's API.
    pub(super) fn repo_url(&self, segments: &[&str]) -> Url {
        let (owner, name) = self.spec.repo.split_once('/').unwrap_or_default();
        self.url(&[&["api", "datasets", owner, name], segments].concat())
    }

    /// Sends JSON (or nothing) and reads the answer, trying again where that may help.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        doing: &str,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        kind: &'static str,
    ) -> Result<T, PushError> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        let response = self
            .retrying(async || {
                let mut request = self.request(doing, method.clone(), url)?;
                if let Some(body) = &body {
                    request = request
                        .header(CONTENT_TYPE, kind)
                        .header("accept", kind)
                        .body(body.clone());
                }
                self.once(doing, request, 0).await
            })
            .await?;
        self.read(doing, self.good(doing, response).await?).await
    }

    /// A request; it carries the token if the URL is the endpoint's.
    pub(super) fn request(
        &self,
        doing: &str,
        method: Method,
        url: &Url,
    ) -> Result<RequestBuilder, PushError> {
        let http = |source| PushError::Http { doing: doing.to_owned(), source };
        let request = self.client.request(method, url).map_err(http)?;
        if url.origin() != self.endpoint.origin() {
            return Ok(request);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.spec.token.expose()))
            .map_err(|_| {
                PushError::BadSpec("the token has characters that cannot be sent".into())
            })?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// One try of a request whose body takes `body_seconds` at most.
    pub(super) async fn once(
        &self,
        doing: &str,
        request: RequestBuilder,
        body_seconds: u64,
    ) -> Result<Tried, PushError> {
        let http = |source| PushError::Http { doing: doing.to_owned(), source };
        let limit = Duration::from_secs(ANSWER_SECONDS + body_seconds);
        let response = match tokio::time::timeout(limit, self.client.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(
                fault @ (HttpError::Connect(_) | HttpError::Interrupted(_) | HttpError::Timeout(_)),
            )) => return Ok(Tried::Again { why: http(fault), pause: None }),
            Ok(Err(fault)) => return Err(http(fault)),
            Err(_) => {
                let why = http(HttpError::Timeout("no answer".into()));
                return Ok(Tried::Again { why, pause: None });
            }
        };
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let pause = pause(&response);
            let why = self.refusal(doing, response).await;
            return Ok(Tried::Again { why, pause });
        }
        Ok(Tried::Answer(response))
    }

    /// Tries until there is an answer, a few times.
    pub(super) async fn retrying(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<Tried, PushError>,
    ) -> Result<Response, PushError> {
        let mut tries = 1;
        loop {
            let (why, asked) = match attempt().await? {
                Tried::Answer(response) => return Ok(response),
                Tried::Again { why, pause } => (why, pause),
            };
            if tries == TRIES {
                return Err(why);
            }
            let own = Duration::from_millis(RETRY_MILLIS << (tries - 1));
            tracing::debug!(tries, %why, "trying again");
            tokio::time::sleep(asked.unwrap_or(own)).await;
            tries += 1;
        }
    }

    /// The answer if it is one of success.
    pub(super) async fn good(
        &self,
        doing: &str,
        response: Response,
    ) -> Result<Response, PushError> {
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refusal(doing, response).await)
        }
    }

    /// Reads a JSON answer.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        doing: &str,
        response: Response,
    ) -> Result<T, PushError> {
        let http = |source| PushError::Http { doing: doing.to_owned(), source };
        let body = read_capped(response, ANSWER_BYTES).await.map_err(http)?;
        serde_json::from_slice(&body).map_err(|fault| {
            PushError::unexpected(doing, self.clean(&format!("not what was asked for: {fault}")))
        })
    }

    /// Sorts an answer that is no success, in the server's own words.
    pub(super) async fn refusal(&self, doing: &str, response: Response) -> PushError {
        let status = response.status().as_u16();
        let mut said: Vec<String> = ["x-error-code", "x-error-message"]
            .iter()
            .filter_map(|name| response.headers().get(*name)?.to_str().ok().map(str::to_owned))
            .collect();
        if let Ok(body) = read_capped(response, ANSWER_BYTES).await
            && let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&body)
            && let Some(Value::String(error)) = body.get("error").or_else(|| body.get("message"))
            && !said.contains(error)
        {
            said.push(error.clone());
        }
        let detail = self.clean(&format!("{doing}: {status} {}", said.join(": ")));
        match status {
            401..=403 => PushError::NotAllowed { detail },
            404 | 410 => PushError::NotFound { detail },
            412 => PushError::Changed { detail },
            429 | 503 => PushError::Throttled { detail },
            _ => PushError::unexpected(doing, detail),
        }
    }

    /// Words of a server, fit for a terminal and without the token.
    pub(super) fn clean(&self, text: &str) -> String {
        clean(text, Some(&self.spec.token), MESSAGE_CHARS)
    }
}

/// How long the server asks to wait.
fn pause(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(PAUSE_SECONDS)))
}
