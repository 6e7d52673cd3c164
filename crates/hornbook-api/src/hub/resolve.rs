//! Hands out a file of a dataset, or any part of it.

use axum::extract::{Path, State};
use axum::response::Response;
use http::header::HeaderValue;
use http::{HeaderMap, Method};

use super::dataset::{Asked, Dataset, X_REPO_COMMIT};
use super::source;
use crate::v1::corpus::serve_file;
use crate::{AppState, CanRead, Problem};

/// A file of a dataset at a revision, as the Hub's clients fetch it.
///
/// `X-Repo-Commit` names the revision that `main` was, so that a client can stay with it; the ETag
/// is the SHA-256 of the content. Nothing is redirected and nothing is compressed on the way.
#[utoipa::path(
    method(get, head), path = "/datasets/{ns}/{id}/resolve/{rev}/{*path}", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
        ("rev" = String, Path, description = "`main`, or a commit of 40 hex digits"),
        ("path" = String, Path, description = "Path of the file, such as `README.md`"),
        ("Range" = Option<String>, Header, description = "One range of bytes, `bytes=0-99`, `bytes=100-` or `bytes=-100`"),
    ),
    responses(
        (status = 200, description = "The whole file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such dataset, revision or file; X-Error-Code says which",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet; X-Error-Message says how far it is",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 416, description = "The file does not have these bytes; Content-Range says how many it has",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn resolve_dataset_file(
    _: CanRead,
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    Path((namespace, id, revision, path)): Path<(String, String, String, String)>,
) -> Result<Response, Problem> {
    let dataset = Dataset::parse(&namespace, &id)?;
    let asked = Asked::parse(&revision)?;
    // No path holds it, and the database would not take it.
    let path = path.replace('\0', "\u{fffd}");
    let stored = source::file(&state, dataset, &asked, &path).await?;
    let mut response = serve_file(&state, &method, &headers, &stored).await?;
    if let Ok(commit) = HeaderValue::try_from(&stored.commit) {
        response.headers_mut().insert(X_REPO_COMMIT, commit);
    }
    Ok(response)
}
