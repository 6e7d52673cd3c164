//! ETags: replies that need not be sent again, and writes that must not overwrite.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::Problem;

/// A JSON reply with an ETag; 304 when the client has it already.
pub(crate) struct Conditional;

impl Conditional {
    /// A reply whose ETag is made from its content.
    pub(crate) fn json<T: Serialize>(request: &HeaderMap, value: &T) -> Result<Response, Problem> {
        let bytes = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
        let tag = content_tag(&bytes);
        Ok(Self::tagged(request, &tag, value))
    }

    /// A reply whose ETag is known.
    pub(crate) fn tagged<T: Serialize>(request: &HeaderMap, tag: &str, value: &T) -> Response {
        let mut response = if not_modified(request, tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Json(value).into_response()
        };
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// A weak ETag of some content: the same data, perhaps spelled otherwise.
pub(crate) fn content_tag(bytes: &[u8]) -> String {
    format!("W/\"{:032x}\"", xxh3_128(bytes))
}

/// True when `If-None-Match` names `tag`, by weak comparison.
pub(crate) fn not_modified(request: &HeaderMap, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    listed(request, &IF_NONE_MATCH)
        .any(|theirs| theirs == "*" || theirs.trim_start_matches("W/") == opaque)
}

/// True when `If-Match` names `tag`, by strong comparison.
fn tag_matches(list: &HeaderMap, tag: &str) -> bool {
    listed(list, &IF_MATCH).any(|theirs| theirs == "*" || theirs == tag)
}

/// Refuses to overwrite the version `tag` unless the client names it: 428 without, 412 when stale.
pub(crate) fn if_match(request: &HeaderMap, tag: &str) -> Result<(), Problem> {
    if !request.contains_key(IF_MATCH) {
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition_required",
            "it exists; send If-Match with the ETag of its latest version",
        )
        .header(ETAG, tag));
    }
    if tag_matches(request, tag) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "If-Match does not name the latest version; somebody else wrote a newer one",
    )
    .header(ETAG, tag))
}

fn listed<'a>(
    headers: &'a HeaderMap,
    name: &http::HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
