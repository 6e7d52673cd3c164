//! The outermost layer: request ids, whole problems, security headers.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Method};

use super::Problem;
use crate::AppState;
use crate::limits::REQUEST_ID_BYTES;

/// Header that names a request in replies and logs.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a page of this service may load: its own files and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// The id of the request under way; found in the extensions of every request.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Names the request, runs it, and makes the reply whole.
pub(crate) async fn finish(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = taken_over(request.headers()).unwrap_or_else(|| state.random_id().to_string());
    let instance = request.uri().path().to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let span = tracing::info_span!("request", %method, path = %instance, request_id);
    let response = {
        use tracing::Instrument as _;
        next.run(request).instrument(span.clone()).await
    };
    let mut response = whole(response, &instance, &request_id);
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    state.metrics.count_reply(response.status());
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "replied"));
    harden(response.headers_mut());
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// The client's own request id, if it is one that can stand in a log.
pub(crate) fn taken_over(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=REQUEST_ID_BYTES).contains(&id.len()) && id.bytes().all(sane);
    fits.then(|| id.to_owned())
}

/// Replaces bare errors (of the router, of a layer) and fills in what only this layer knows.
fn whole(mut response: Response, instance: &str, request_id: &str) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if is_bare(response.headers()) => Problem::from_status(status),
        None => return response,
    };
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(CONTENT_LENGTH);
    let mut whole = problem.render(instance, request_id);
    for (name, value) in whole.headers() {
        headers.insert(name, value.clone());
    }
    *whole.headers_mut() = headers;
    whole
}

/// True for a reply whose body is nothing made for a client: empty, or a library's own words.
pub(crate) fn is_bare(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

/// Adds the security headers that a reply has not set itself.
pub(crate) fn harden(headers: &mut HeaderMap) {
    let defaults = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (CACHE_CONTROL, "private, no-cache"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
