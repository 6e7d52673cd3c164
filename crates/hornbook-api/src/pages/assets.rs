//! Stylesheet, script and icon: embedded, named by their content, cached for good.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Serialize;

/// Hex digits of a file's hash that stand in its address and ETag.
const HASH_DIGITS: usize = 16;

#[derive(RustEmbed)]
#[folder = "ui/assets/"]
struct Files;

/// Addresses of the files that every page names.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Links {
    css: String,
    js: String,
    icon: String,
}

static LINKS: LazyLock<Links> = LazyLock::new(|| Links {
    css: address("hornbook.css"),
    js: address("hornbook.js"),
    icon: address("icon.svg"),
});

/// Addresses that change whenever the files do.
pub(super) fn links() -> &'static Links {
    &LINKS
}

fn address(name: &str) -> String {
    let hash = Files::get(name).map(|file| hash(&file)).unwrap_or_default();
    format!("/assets/{name}?{hash}")
}

fn hash(file: &EmbeddedFile) -> String {
    let mut digits = hex::encode(file.metadata.sha256_hash());
    digits.truncate(HASH_DIGITS);
    digits
}

/// `GET /assets/{name}`.
pub(super) async fn serve(
    Path(name): Path<String>,
    uri: http::Uri,
    headers: HeaderMap,
) -> Response {
    let Some(file) = Files::get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let hash = hash(&file);
    let etag = format!("\"{hash}\"");
    // Only the address that names this very content may be kept for good.
    let keep = if uri.query() == Some(hash.as_str()) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tags| {
        tags.to_str().is_ok_and(|tags| tags.split(',').any(|tag| tag.trim() == etag))
    });
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    let head = [(ETAG, etag), (CACHE_CONTROL, keep.to_owned()), (CONTENT_TYPE, kind.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, Body::from(file.data.into_owned())).into_response()
}
