//! A panic in a handler ends that request alone.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::Problem;

/// The reply of a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature that tower-http asks for")]
pub(crate) fn caught(payload: Box<dyn Any + Send + 'static>) -> Response {
    let words = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("panic without words");
    Problem::internal(&words).into_response()
}
