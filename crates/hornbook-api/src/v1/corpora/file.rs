//! Hands out a file of a mixed corpus, as a job's files are handed out.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::DbError;
use hornbook_db::corpora::{self, Owner, mixed};
use http::{HeaderMap, Method};

use super::manifest::not_ready;
use crate::extract::{QueryParams, corpus_id};
use crate::v1::corpus::{Revision, overloaded, serve_file};
use crate::{AppState, CanRead, Problem};

/// A file of a mixed corpus, as its manifest names it. The ETag is the SHA-256 of the content, so
/// that a download can go on with `Range` and `If-Range`; nothing is compressed on the way.
#[utoipa::path(
    method(get, head), path = "/v1/corpora/{id}/corpus/files/{*path}", tag = "corpora",
    params(
        ("id" = uuid::Uuid, Path, description = "The corpus"),
        ("path" = String, Path, description = "Path of the file, such as `data/train-00000-of-00001.parquet`"),
        Revision,
        ("Range" = Option<String>, Header, description = "One range of bytes, `bytes=0-99`, `bytes=100-` or `bytes=-100`"),
        ("If-Range" = Option<String>, Header, description = "ETag of the file that the range belongs to"),
    ),
    responses(
        (status = 200, description = "The whole file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such corpus, revision or file", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "Nothing was published yet", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 416, description = "The file does not have these bytes; Content-Range says how many it has",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_mixed_file(
    _: CanRead,
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    Path((id, path)): Path<(String, String)>,
    QueryParams(query): QueryParams<Revision>,
) -> Result<Response, Problem> {
    let id = corpus_id(&id)?;
    if path.contains('\0') {
        return Err(Problem::not_found("this file"));
    }
    let commit = query.commit.as_deref();
    let stored = match corpora::file(&state.db, Owner::Mixed(id), commit, &path).await {
        Ok(stored) => stored,
        Err(DbError::NotFound(_)) => {
            let mixed = mixed::get(&state.db, id).await?;
            return Err(if mixed.published.is_none() {
                not_ready(&mixed)
            } else {
                Problem::not_found("this file")
            });
        }
        Err(error) => return Err(overloaded(error)),
    };
    serve_file(&state, &method, &headers, &stored).await
}
