//! The OpenAPI document of this service.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, StatusCode};

use crate::extract::{content_tag, not_modified};

static DOCUMENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = crate::openapi();
    (content_tag(text.as_bytes()), text)
});

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service",
    responses(
        (status = 200, description = "The OpenAPI 3.1 document", body = Object, content_type = "application/json"),
        (status = 304, description = "The client has it already"),
    )
)]
pub(crate) async fn openapi_document(headers: HeaderMap) -> Response {
    let (tag, text) = &*DOCUMENT;
    let tag = [(ETAG, tag.as_str())];
    if not_modified(&headers, tag[0].1) {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    (tag, [(CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}
