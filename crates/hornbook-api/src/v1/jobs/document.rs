//! Gets one document.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::documents::DocumentView;
use crate::extract::{Conditional, job_id};
use crate::{AppState, CanRead, Problem};

/// One prompt of a job and what became of it.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/documents/{seq}", tag = "jobs",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("seq" = u64, Path, description = "Number of the prompt, from 0"),
    ),
    responses(
        (status = 200, description = "The document", body = DocumentView),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such job, or the prompt has not ended", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_job_document(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path((id, seq)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let seq: u64 = seq.parse().map_err(|_| Problem::not_found("this document"))?;
    let document = hornbook_db::documents::get(&state.db, id, seq).await?;
    Conditional::json(&headers, &DocumentView::from(document))
}
