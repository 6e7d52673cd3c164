//! Errors in the headers that the Hub's clients read.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use super::dataset::X_ERROR_CODE;
use crate::Problem;
use crate::limits::{HUB_MESSAGE_CHARS, HUB_RETRY_SECONDS};

const X_ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Puts every error of these paths, whoever made it, into the words that such clients know.
///
/// It stands outside authentication and the limits, because they refuse requests too.
pub(crate) async fn speak_hub(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_ours = path.starts_with("/datasets/") || path.starts_with("/api/datasets/");
    let response = next.run(request).await;
    let status = response.status();
    if is_ours && (status.is_client_error() || status.is_server_error()) {
        translated(response)
    } else {
        response
    }
}

fn translated(mut response: Response) -> Response {
    let status = response.status();
    let mut problem = response
        .extensions_mut()
        .remove::<Problem>()
        .unwrap_or_else(|| Problem::from_status(status));
    match problem.status {
        // Without a good key nothing exists, in the Hub's manner; clients then speak of a token.
        StatusCode::UNAUTHORIZED => problem = problem.header(X_ERROR_CODE, "RepoNotFound"),
        // Clients give up on 503, but wait on 429.
        StatusCode::SERVICE_UNAVAILABLE => {
            problem.status = StatusCode::TOO_MANY_REQUESTS;
            problem.code = "busy";
        }
        _ => {}
    }
    if problem.status == StatusCode::TOO_MANY_REQUESTS {
        problem = patient(problem, response.headers_mut());
    }
    let message: String = problem
        .detail
        .chars()
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .take(HUB_MESSAGE_CHARS)
        .collect();
    problem = problem.header(X_ERROR_MESSAGE, message);
    // What else was said (Allow, RateLimit) stays.
    let mut whole = problem.into_response();
    for (name, value) in response.headers() {
        whole.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    whole
}

/// Says how long to wait in both ways that clients know.
fn patient(mut problem: Problem, headers: &mut HeaderMap) -> Problem {
    if !problem.headers.contains_key(RETRY_AFTER) {
        problem = problem.header(RETRY_AFTER, HUB_RETRY_SECONDS.to_string());
    }
    // Newer ones wait until the whole quota is back where `RateLimit` says that nothing is left;
    // the next request is possible much sooner.
    let seconds = problem.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    if headers.contains_key(RATE_LIMIT)
        && let Some(seconds) = seconds
        && let Ok(value) = HeaderValue::try_from(format!("\"key\";r=0;t={seconds}"))
    {
        headers.insert(RATE_LIMIT, value);
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_service_is_waited_for() {
        let down = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "caf\u{e9} down");
        let response = translated(down.header(RETRY_AFTER, "7").into_response());
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["x-error-message"], "caf? down");
        let bare = StatusCode::SERVICE_UNAVAILABLE.into_response();
        let response = translated(bare);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(response.headers().contains_key("retry-after"));
    }

    #[test]
    fn who_has_no_key_finds_nothing() {
        let refused = Problem::new(StatusCode::UNAUTHORIZED, "key_required", "send a key");
        let response = translated(refused.into_response());
        assert_eq!(response.headers()["x-error-code"], "RepoNotFound");
        assert_eq!(response.headers()["x-error-message"], "send a key");
    }

    #[test]
    fn a_quota_says_when_the_next_request_is_possible() {
        let refused = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many");
        let mut response = refused.header(RETRY_AFTER, "3").into_response();
        response.headers_mut().insert(RATE_LIMIT, HeaderValue::from_static("\"key\";r=0;t=60"));
        let response = translated(response);
        assert_eq!(response.headers()["ratelimit"], "\"key\";r=0;t=3");
    }
}
