//! The outermost layer: request ids, faults in OpenAI's shape, security headers.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::HeaderValue;

use super::EngineState;
use super::fault::Fault;
use crate::Problem;
use crate::problem::{X_REQUEST_ID, harden, is_bare, taken_over};

/// Names the request, runs it, and gives every error the shape that clients read.
pub(super) async fn finish(
    State(state): State<EngineState>,
    request: Request,
    next: Next,
) -> Response {
    let request_id = taken_over(request.headers()).unwrap_or_else(|| state.new_id("req-"));
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", %method, path, request_id);
    let response = {
        use tracing::Instrument as _;
        next.run(request).instrument(span.clone()).await
    };
    let mut response = whole(response);
    state.metrics.count_reply(response.status());
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "replied"));
    harden(response.headers_mut());
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// Replaces the problems of shared layers, and bare errors of the router.
fn whole(mut response: Response) -> Response {
    let status = response.status();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Fault::from(problem).into_response();
    }
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || !is_bare(response.headers()) {
        return response;
    }
    let mut made = Fault::from(Problem::from_status(status)).into_response();
    // `Allow` of a 405, for one.
    for (name, value) in response.headers() {
        if !made.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
            made.headers_mut().insert(name, value.clone());
        }
    }
    made
}
