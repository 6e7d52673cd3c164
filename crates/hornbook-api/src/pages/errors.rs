//! Errors for people: a page instead of problem+json where a browser asks.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::ACCEPT;
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use super::chrome::Chrome;
use super::{engine, text};
use crate::problem::RequestId;
use crate::{Caller, Problem};

/// Paths below which every error is problem+json, whoever asks.
const MACHINES: [&str; 3] = ["/v1/", "/api/", "/datasets/"];

/// `error.html`.
#[derive(Debug, Serialize)]
pub(super) struct ErrorPage {
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) detail: String,
    pub(super) request_id: Option<String>,
}

/// What a path without a page answers.
pub(super) async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

/// Turns a problem into a page, and a missing key into the way to the login, for a browser.
pub(super) async fn for_people(request: Request, next: Next) -> Response {
    let wants_page = wants_page(request.uri().path(), request.headers());
    let back = match *request.method() {
        Method::GET => request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        _ => "/".to_owned(),
    };
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Anonymous);
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let mut response = next.run(request).await;
    let status = response.status();
    if !wants_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>();
    if problem.is_none() && is_page(response.headers()) {
        return response;
    }
    if status == StatusCode::UNAUTHORIZED {
        return Redirect::to(&format!("/login?next={}", text::query(&back))).into_response();
    }
    let headers = problem.as_ref().map(|problem| (*problem.headers).clone()).unwrap_or_default();
    let page = ErrorPage {
        status: status.as_u16(),
        title: title(status),
        detail: problem.map(detail).unwrap_or_default(),
        request_id,
    };
    match engine::render("error.html", &Chrome::new(&caller, ""), &page) {
        Ok(html) => (status, headers, Html(html)).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let place = |kind: &str| accept.find(kind).unwrap_or(usize::MAX);
    !MACHINES.iter().any(|prefix| path.starts_with(prefix)) && place("text/html") < place("json")
}

fn is_page(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::FORBIDDEN => "Your key does not allow this",
        StatusCode::METHOD_NOT_ALLOWED => "This page cannot do that",
        StatusCode::CONFLICT => "That does not fit the present state",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        _ if status.is_server_error() => "The service failed",
        _ => "The request was not understood",
    }
}

/// A problem in sentences.
pub(super) fn sentences(problem: Problem) -> Vec<String> {
    if problem.errors.is_empty() {
        return vec![sentence(&problem.detail)];
    }
    let fault = |fault: hornbook_types::FieldError| {
        let place = fault.pointer.trim_start_matches('/').replace('/', ", ");
        let words =
            if place.is_empty() { fault.detail } else { format!("{place}: {}", fault.detail) };
        sentence(&words)
    };
    problem.errors.into_iter().map(fault).collect()
}

fn detail(problem: Problem) -> String {
    sentences(problem).join(" ")
}

fn sentence(words: &str) -> String {
    let mut sentence = text::label_words(words);
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_browsers_at_pages_get_pages() {
        let asks = |path: &str, accept: &'static str| {
            let headers = [(ACCEPT, http::HeaderValue::from_static(accept))].into_iter().collect();
            wants_page(path, &headers)
        };
        assert!(asks("/jobs", "text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!asks("/jobs", "*/*"));
        assert!(!asks("/jobs", "application/json, text/html"));
        assert!(!asks("/v1/jobs", "text/html"));
        assert!(!wants_page("/jobs", &HeaderMap::new()));
    }
}
