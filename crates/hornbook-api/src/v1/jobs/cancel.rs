//! Cancels a job.

use axum::Json;
use axum::extract::{Path, State};

use super::JobView;
use crate::extract::job_id;
use crate::{AppState, CanWrite, Problem};

/// Ends a job for good; what is done is kept and assembled.
///
/// Asking again changes nothing and is no error.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "It is being cancelled, or is cancelled", body = JobView),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "Its state does not allow it; `state` and `allowed` say what does",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn cancel_job(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Problem> {
    let job = hornbook_db::jobs::cancel(&state.db, job_id(&id)?).await?;
    Ok(Json(JobView::whole(&state, job).await?))
}
