//! Hands out a file of a corpus, or any part of it.

use std::ops::Range;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use hornbook_db::corpora::{self, StoredFile};
use hornbook_db::{DbError, jobs};
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{HeaderMap, Method, StatusCode};
use object_store::{GetOptions, GetRange};
use serde::Deserialize;

use super::manifest::not_ready;
use super::range::{Asked, asked};
use crate::extract::{QueryParams, job_id, not_modified};
use crate::{AppState, CanRead, Problem};

/// Which revision.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Revision {
    /// Commit of the revision, 40 hex digits; default: the current one.
    pub(crate) commit: Option<String>,
}

/// A file of a job's corpus, as its manifest names it. The ETag is the SHA-256 of the content, so
/// that a download can go on with `Range` and `If-Range`; nothing is compressed on the way.
#[utoipa::path(
    method(get, head), path = "/v1/jobs/{id}/corpus/files/{*path}", tag = "corpora",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("path" = String, Path, description = "Path of the file, such as `data/train-00000-of-00001.parquet`"),
        Revision,
        ("Range" = Option<String>, Header, description = "One range of bytes, `bytes=0-99`, `bytes=100-` or `bytes=-100`"),
        ("If-Range" = Option<String>, Header, description = "ETag of the file that the range belongs to"),
    ),
    responses(
        (status = 200, description = "The whole file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such job, revision or file", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "There is no corpus yet", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 416, description = "The file does not have these bytes; Content-Range says how many it has",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_corpus_file(
    _: CanRead,
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    Path((id, path)): Path<(String, String)>,
    QueryParams(query): QueryParams<Revision>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    if path.contains('\0') {
        return Err(Problem::not_found("this file"));
    }
    // Looked up, never joined to a directory: a path that is no row is no file.
    let looked_up = corpora::file(&state.db, id, query.commit.as_deref(), &path).await;
    let stored = match looked_up {
        Ok(stored) => stored,
        Err(DbError::NotFound(_)) => {
            let job = jobs::get(&state.db, id).await?;
            return Err(if job.corpus.is_none() {
                not_ready(&job)
            } else {
                Problem::not_found("this file")
            });
        }
        Err(error) => return Err(overloaded(error)),
    };
    serve_file(&state, &method, &headers, &stored).await
}

/// Clients of corpora give up on 503, but wait on 429.
pub(crate) fn overloaded(error: DbError) -> Problem {
    match error {
        DbError::Unavailable(_) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "the service is busy")
                .header(RETRY_AFTER, "2")
        }
        other => other.into(),
    }
}

/// The reply that carries a file, or the part of it that was asked for.
pub(crate) async fn serve_file(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
    stored: &StoredFile,
) -> Result<Response, Problem> {
    let length = stored.file.bytes;
    let tag = format!("\"{}\"", stored.file.sha256);
    if not_modified(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let (status, range) = match asked(headers, &tag, length) {
        Asked::Whole => (StatusCode::OK, None),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, Some(range)),
        Asked::Unsatisfiable => {
            return Err(Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range_not_satisfiable",
                format!("the file has {length} bytes"),
            )
            .header(CONTENT_RANGE, format!("bytes */{length}")));
        }
    };
    let body = if method == Method::HEAD || length == 0 {
        Body::empty()
    } else {
        open(state, stored, range.clone()).await?
    };
    let mut response = (status, body).into_response();
    let sent = range.as_ref().map_or(length, |range| range.end - range.start);
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(ETAG, tag);
    set(ACCEPT_RANGES, "bytes".to_owned());
    set(CONTENT_LENGTH, sent.to_string());
    set(CONTENT_TYPE, media_type(&stored.file.path).to_owned());
    set(CONTENT_DISPOSITION, disposition(&stored.file.path));
    // What it holds was written by a model: it must never run in a browser as a page of ours.
    set(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned());
    if let Some(Range { start, end }) = range {
        set(CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1));
    }
    Ok(response)
}

async fn open(
    state: &AppState,
    stored: &StoredFile,
    range: Option<Range<u64>>,
) -> Result<Body, Problem> {
    let place = format!("{}/{}", stored.location, stored.file.path);
    let place =
        object_store::path::Path::parse(&place).map_err(|error| Problem::internal(&error))?;
    let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
    let found =
        state.store.get_opts(&place, options).await.map_err(|error| Problem::internal(&error))?;
    if found.meta.size != stored.file.bytes {
        return Err(Problem::internal(&format!("{place} is not as long as its manifest says")));
    }
    let counter = state.clone();
    Ok(Body::from_stream(found.into_stream().inspect(move |piece| {
        if let Ok(piece) = piece {
            counter.metrics.file_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    })))
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("parquet") => "application/vnd.apache.parquet",
        Some("zst") => "application/zstd",
        Some("json") => "application/json",
        Some("md") => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `attachment` under the file's own name, of which only tame characters are kept.
fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let tame: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{tame}\"")
}
