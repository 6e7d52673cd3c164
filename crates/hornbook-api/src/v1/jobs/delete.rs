//! Removes a job.

use axum::extract::{Path, State};
use http::StatusCode;

use crate::extract::job_id;
use crate::{AppState, CanWrite, Problem};

/// Removes an ended job; its documents, files and events go in batches after the reply.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It has not ended", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn delete_job(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    hornbook_db::jobs::delete(&state.db, job_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
