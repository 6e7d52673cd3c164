//! Whole bodies under a named limit.

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::Problem;

/// Reads a body of at most `limit_bytes` into memory.
pub(crate) async fn read_body(body: Body, limit_bytes: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large(limit_bytes as u64)),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "incomplete_body",
            "the connection ended before the body did",
        )),
    }
}
