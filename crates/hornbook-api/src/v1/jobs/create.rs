//! Submits a job.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hornbook_prompt::pin;
use hornbook_types::{JobSpec, PinnedJobSpec};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use uuid::Uuid;

use super::JobView;
use super::dry_run::{DryRun, dry_run};
use super::resolve::resolve;
use crate::auth::Caller;
use crate::extract::{JsonBody, QueryParams};
use crate::v1::corpus::check_tokenizer;
use crate::{AppState, CanWrite, Problem};

/// How to submit.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubmitQuery {
    /// True stores nothing and tells what the job would cost.
    #[serde(default)]
    dry_run: bool,
}

/// Submits a job: every reference is pinned, and it starts as soon as an endpoint has room.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs",
    params(
        SubmitQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send the same request again within 24 hours"),
    ),
    request_body(content = JobSpec, description = "The job"),
    responses(
        (status = 200, description = "With dry_run: what it would cost", body = DryRun),
        (status = 201, description = "It was submitted; Location names it", body = JobView),
        (status = 409, description = "A request with this Idempotency-Key has not been answered yet",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "A quota of the caller's key does not allow it (`quota_exceeded`); `Retry-After` says when it will",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong; `errors` points to each",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn create_job(
    CanWrite(caller): CanWrite,
    State(state): State<AppState>,
    QueryParams(query): QueryParams<SubmitQuery>,
    JsonBody(spec): JsonBody<JobSpec>,
) -> Result<Response, Problem> {
    if query.dry_run {
        return Ok(Json(dry_run(&state, spec).await?).into_response());
    }
    let id = submit(&state, &caller, spec).await?;
    let job = hornbook_db::jobs::get(&state.db, id).await?;
    let location = [(LOCATION, format!("/v1/jobs/{id}"))];
    let view = JobView::whole(&state, job).await?;
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

/// Pins every reference of `spec` and stores the job, within the quotas of the caller's key; its id.
pub(crate) async fn submit(
    state: &AppState,
    caller: &Caller,
    spec: JobSpec,
) -> Result<Uuid, Problem> {
    let budget = spec.budget;
    let pinned = pinned(state, spec).await?;
    let id = state.new_id();
    hornbook_db::jobs::submit_within(&state.db, id, &pinned, &budget, caller.key()).await?;
    Ok(id)
}

/// Pins every reference of `spec`.
pub(super) async fn pinned(state: &AppState, mut spec: JobSpec) -> Result<PinnedJobSpec, Problem> {
    spec.check()?;
    check_tokenizer(state, &spec.assembly)?;
    let (seed_set, lines) = resolve(state, &mut spec).await?;
    // Parsing templates that users wrote is work for the render pool.
    Ok(state.render.run(move || pin(&spec, &seed_set, &lines)).await??)
}
