//! Pauses a job.

use axum::Json;
use axum::extract::{Path, State};

use super::JobView;
use crate::extract::job_id;
use crate::{AppState, CanWrite, Problem};

/// Sends nothing more until resumed; what is in flight finishes and is stored.
///
/// Asking again changes nothing and is no error.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/pause", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "It is paused", body = JobView),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "Its state does not allow it; `state` and `allowed` say what does",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn pause_job(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Problem> {
    let job = hornbook_db::jobs::pause(&state.db, job_id(&id)?).await?;
    Ok(Json(JobView::whole(&state, job).await?))
}
