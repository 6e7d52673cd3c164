//! Runs a job's failed prompts again.

use axum::Json;
use axum::extract::{Path, Request, State};
use serde::{Deserialize, Serialize};

use super::JobView;
use crate::extract::{job_id, optional_json};
use crate::{AppState, CanWrite, Problem};

/// Most error codes that one retry may name.
const CODES: usize = 100;

/// Which prompts to run again.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryRequest {
    /// Only prompts that failed with one of these codes; default: all that failed.
    #[serde(default)]
    codes: Option<Vec<String>>,
}

/// What a retry set going.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Retried {
    /// Failed prompts that will run again.
    requeued: u64,
    /// The job as it is now.
    #[serde(flatten)]
    job: JobView,
}

/// Runs the failed prompts of an ended job again, or its assembly when that failed.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    request_body(content = Option<RetryRequest>, description = "Which prompts; may be absent"),
    responses(
        (status = 200, description = "What was set going", body = Retried),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "Its state does not allow it; `state` and `allowed` say what does",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn retry_job(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Retried>, Problem> {
    let id = job_id(&id)?;
    let RetryRequest { codes } = optional_json(request).await?.unwrap_or_default();
    if codes.as_ref().is_some_and(|codes| codes.is_empty() || codes.len() > CODES) {
        return Err(Problem::field("/codes", format!("needs 1 to {CODES} codes, or be absent")));
    }
    let retried = hornbook_db::jobs::retry(&state.db, id, codes.as_deref()).await?;
    let job = hornbook_db::jobs::get(&state.db, id).await?;
    let job = JobView::whole(&state, job).await?;
    Ok(Json(Retried { requeued: retried.requeued, job }))
}
