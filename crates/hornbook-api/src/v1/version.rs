//! What the resources with immutable versions have in common.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hornbook_db::{DbError, Expect, Origin};
use hornbook_types::Pinned;
use http::header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::Problem;
use crate::extract::if_match;

/// The strong ETag of one immutable version.
pub(crate) fn version_tag(pinned: &Pinned) -> String {
    format!("\"{pinned}\"")
}

/// What the client says about the latest version of what it writes.
///
/// Without `If-Match` a thing that exists is not overwritten (428); with one that is not the
/// latest's the write is stale (412).
pub(crate) fn expectation(headers: &HeaderMap, latest: Option<&Pinned>) -> Result<Expect, Problem> {
    let Some(latest) = latest else {
        if headers.contains_key(IF_MATCH) {
            return Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "If-Match names a version, but there is none yet",
            ));
        }
        return Ok(Expect::Absent);
    };
    if headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == b"*") {
        return Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "it exists already",
        )
        .header(ETAG, version_tag(latest)));
    }
    if_match(headers, &version_tag(latest))?;
    Ok(Expect::Latest(latest.version))
}

/// What was looked up, or `None` when there is no such thing.
pub(crate) fn found<T>(looked_up: Result<T, DbError>) -> Result<Option<T>, Problem> {
    match looked_up {
        Ok(thing) => Ok(Some(thing)),
        Err(DbError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// 201 with Location for a new version, 200 when the latest had this content already.
pub(crate) fn written(
    created: bool,
    pinned: &Pinned,
    location: String,
    body: &impl Serialize,
) -> Response {
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = (status, Json(body)).into_response();
    for (name, value) in [(ETAG, version_tag(pinned)), (LOCATION, location)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Who wrote a version, in JSON.
pub(crate) fn origin(origin: Origin) -> &'static str {
    origin.as_str()
}
