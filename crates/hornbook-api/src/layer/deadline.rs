//! A bound on the time to the first byte of a reply.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::Problem;
use crate::limits::REQUEST_SECONDS;

/// Gives a request up after `REQUEST_SECONDS`; uploads and streams are bounded elsewhere.
pub(crate) async fn deadline(request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(REQUEST_SECONDS);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            format!("no reply was ready within {REQUEST_SECONDS} seconds"),
        )
        .header(RETRY_AFTER, "5")
        .into_response(),
    }
}
