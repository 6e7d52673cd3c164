//! The Hub's resolve protocol: what a file is, and where its bytes are.
//!
//! The endpoint answers for the file (hash and size in headers of its own) and redirects to
//! wherever the bytes lie. Redirects are followed here, one by one, because the client
//! follows none: each address passes the client's guard, and the token goes to the endpoint only.

use std::time::Duration;

use hornbook_inference::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue, LOCATION, RANGE,
};
use hornbook_inference::http::{Client, HttpError, Method, Response, StatusCode, Url};
use hornbook_inference::{MESSAGE_CHARS, Secret, clean};

use crate::PullError;
use crate::spec::{PullSpec, is_sha256};

/// Most redirects between the endpoint and the bytes.
const REDIRECTS: usize = 5;
/// Longest that a server may take until it says something.
pub(crate) const SILENCE_SECONDS: u64 = 60;

/// What the endpoint says of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Known for files in large-file storage.
    pub(crate) sha256: Option<String>,
    pub(crate) bytes: Option<u64>,
}

/// Asks the endpoint what the file is.
pub(crate) async fn describe(
    client: &Client,
    spec: &PullSpec,
    url: &Url,
) -> Result<Facts, PullError> {
    let mut at = url.clone();
    for _ in 0..=REDIRECTS {
        let response = send(client, Method::HEAD, spec, url, &at, 0).await?;
        let headers = response.headers();
        if headers.contains_key("x-linked-etag") {
            return Ok(Facts::linked(headers));
        }
        if !response.status().is_redirection() {
            return if response.status().is_success() {
                Ok(Facts::plain(headers))
            } else {
                Err(refusal(spec, &response))
            };
        }
        let next = target(&at, &response)?;
        if next.origin() != url.origin() {
            // Another host's headers say nothing about the file that was asked for.
            return Ok(Facts::default());
        }
        at = next;
    }
    Err(PullError::Unexpected(format!("more than {REDIRECTS} redirects")))
}

/// Opens the file's bytes from `from_bytes` on; the status is 200 (the whole), 206 (the rest) or
/// 416 (there is no rest).
pub(crate) async fn open(
    client: &Client,
    spec: &PullSpec,
    url: &Url,
    from_bytes: u64,
) -> Result<Response, PullError> {
    let mut at = url.clone();
    for _ in 0..=REDIRECTS {
        let response = send(client, Method::GET, spec, url, &at, from_bytes).await?;
        let status = response.status();
        if status.is_redirection() {
            at = target(&at, &response)?;
        } else if matches!(
            status,
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
        ) {
            return Ok(response);
        } else {
            return Err(refusal(spec, &response));
        }
    }
    Err(PullError::Unexpected(format!("more than {REDIRECTS} redirects")))
}

/// Fetches a page of the endpoint's own; no redirect leads to another host.
pub(crate) async fn fetch(
    client: &Client,
    spec: &PullSpec,
    url: &Url,
) -> Result<Response, PullError> {
    let mut at = url.clone();
    for _ in 0..=REDIRECTS {
        let response = send(client, Method::GET, spec, url, &at, 0).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        if !response.status().is_redirection() {
            return Err(refusal(spec, &response));
        }
        at = target(&at, &response)?;
        if at.origin() != url.origin() {
            return Err(PullError::Unexpected("the listing is on another host".into()));
        }
    }
    Err(PullError::Unexpected(format!("more than {REDIRECTS} redirects")))
}

async fn send(
    client: &Client,
    method: Method,
    spec: &PullSpec,
    endpoint: &Url,
    at: &Url,
    from_bytes: u64,
) -> Result<Response, PullError> {
    let mut request = client.request(method, at)?.header(ACCEPT_ENCODING, "identity");
    if from_bytes > 0 {
        request = request.header(RANGE, format!("bytes={from_bytes}-"));
    }
    if let Some(token) = &spec.token
        && at.origin() == endpoint.origin()
    {
        request = request.header(AUTHORIZATION, bearer(token)?);
    }
    let silence = Duration::from_secs(SILENCE_SECONDS);
    match tokio::time::timeout(silence, client.send(request)).await {
        Ok(response) => Ok(response?),
        Err(_) => Err(HttpError::Timeout("no answer".into()).into()),
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, PullError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| PullError::BadSpec("the token has characters that cannot be sent".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a redirect leads; never from https to http.
fn target(at: &Url, response: &Response) -> Result<Url, PullError> {
    let location = text(response.headers(), LOCATION.as_str());
    let next = location.and_then(|location| at.join(location).ok());
    match next {
        Some(next) if at.scheme() == "https" && next.scheme() != "https" => {
            Err(PullError::Unexpected("a redirect away from https".into()))
        }
        Some(next) => Ok(next),
        None => Err(PullError::Unexpected("a redirect to nowhere".into())),
    }
}

/// Sorts an answer that is no file, with the Hub's own words for it.
fn refusal(spec: &PullSpec, response: &Response) -> PullError {
    let status = response.status();
    let headers = response.headers();
    let said: Vec<&str> =
        ["x-error-code", "x-error-message"].iter().filter_map(|name| text(headers, name)).collect();
    let detail = format!("{} {}", status.as_u16(), said.join(": "));
    let detail = clean(&detail, spec.token.as_ref(), MESSAGE_CHARS);
    let file = clean(&spec.name(), None, MESSAGE_CHARS);
    match status.as_u16() {
        404 | 410 => PullError::NotFound { file, detail },
        // The Hub says 401 for a repository that does not exist, so as not to tell which do.
        401 if said.first() == Some(&"RepoNotFound") && spec.token.is_some() => {
            PullError::NotFound { file, detail }
        }
        401 | 403 => PullError::NotAllowed { file, detail },
        429 | 503 => PullError::Throttled { detail },
        _ => PullError::Unexpected(detail),
    }
}

impl Facts {
    fn linked(headers: &HeaderMap) -> Self {
        Self {
            sha256: etag(headers, "x-linked-etag"),
            bytes: text(headers, "x-linked-size").and_then(|size| size.parse().ok()),
        }
    }

    fn plain(headers: &HeaderMap) -> Self {
        Self {
            sha256: etag(headers, ETAG.as_str()),
            bytes: text(headers, CONTENT_LENGTH.as_str()).and_then(|size| size.parse().ok()),
        }
    }
}

/// An entity tag, where it is a SHA-256; small files have a git hash or something else there.
fn etag(headers: &HeaderMap, name: &str) -> Option<String> {
    let tag = text(headers, name)?.trim_start_matches("W/").trim_matches('"');
    is_sha256(tag).then(|| tag.to_ascii_lowercase())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
