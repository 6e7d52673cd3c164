//! The command line's way to a running service: REST, and nothing but REST.

mod download;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

use crate::exit::{Code, Context as _, Failure};

pub(crate) use download::{Whole, download};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence in an answer; long polls stay below it.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// A service by address, and the key to it.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<String>,
}

impl Client {
    /// A client of the service at `base`; no proxy and no redirect is followed, so the key goes nowhere else.
    pub(crate) fn new(base: &str, key: Option<String>) -> Result<Self, Failure> {
        let base = Url::parse(base)
            .map_err(|error| Failure::usage(format!("'{base}' is not a service URL: {error}")))?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("setting up the client")?;
        Ok(Self { http, base, key })
    }

    /// The absolute URL of a path of the service.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Failure> {
        self.base.join(path).context("making a URL")
    }

    /// A request with the key; `path` begins with `/` and is already percent-encoded.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let request = self.http.request(method, self.url(path)?);
        Ok(match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
    }

    /// Sends a request and turns every answer but success into a failure.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        checked(self.send_unchecked(request).await?).await
    }

    /// Sends a request and returns whatever is answered.
    async fn send_unchecked(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|error| {
            Failure::error(format!(
                "cannot reach the service at {}: {}; start it with 'hornbook serve', or name it with --url",
                self.base,
                root_cause(&error)
            ))
        })
    }

    /// GET of a JSON value.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        let response = self.send(self.request(Method::GET, path)?).await?;
        response.json().await.context("reading the answer")
    }

    /// PATCH of a JSON value.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.request(Method::PATCH, path)?.json(body);
        self.send(request).await?.json().await.context("reading the answer")
    }

    /// POST of a JSON value, or of nothing.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self.request(Method::POST, path)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        let bytes = self.send(request).await?.bytes().await.context("reading the answer")?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).context("reading the answer")
    }

    /// Every item of a cursor list, up to `most`.
    pub(crate) async fn list(&self, path: &str, most: usize) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                None => format!("{path}{joint}limit=200"),
                Some(cursor) => format!("{path}{joint}limit=200&cursor={cursor}"),
            };
            let mut answer = self.get(&page).await?;
            if let Some(Value::Array(data)) = answer.get_mut("data").map(Value::take) {
                items.extend(data);
            }
            cursor = answer.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }
}

/// One path segment, percent-encoded, so that a name cannot reach another path.
pub(crate) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The innermost cause says more than reqwest's own outermost sentence.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Turns every answer but success into a failure.
async fn checked(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = response.bytes().await.unwrap_or_default();
    Err(problem(status, retry_after.as_deref(), &body))
}

fn problem(status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Failure {
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::NotAllowed,
        StatusCode::TOO_MANY_REQUESTS => Code::Throttled,
        _ => Code::Error,
    };
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let said = problem.get("detail").or_else(|| problem.get("title")).and_then(Value::as_str);
    let mut message = match said {
        Some(said) => said.to_owned(),
        None => format!("the service answered {status}"),
    };
    for fault in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |key| fault.get(key).and_then(Value::as_str).unwrap_or_default();
        message.push_str(&format!("\n  {}: {}", part("pointer"), part("detail")));
    }
    if status == StatusCode::UNAUTHORIZED {
        message.push_str("\n  name a file with a good key with --key-file, or set HORNBOOK_KEY");
    }
    if let Some(seconds) = retry_after {
        message.push_str(&format!("\n  try again in {seconds} s"));
    }
    Failure::new(code, message)
}
