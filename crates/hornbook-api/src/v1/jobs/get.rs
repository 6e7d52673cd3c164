//! Gets one job, at once or when it changes.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, IF_NONE_MATCH};

use super::JobView;
use super::watch::{preferred_wait, wait};
use crate::extract::{Conditional, content_tag, job_id};
use crate::{AppState, CanRead, Problem};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// One job. With `Prefer: wait=30` the reply waits, up to 60 seconds, until the job changes: from
/// what `If-None-Match` names, or else from what it is now. A job that has ended is told at once.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`, at most 60"),
    ),
    responses(
        (status = 200, description = "The job", body = JobView),
        (status = 304, description = "The client has it as it is"),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_job(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let waited = preferred_wait(&headers);
    if let Some(seconds) = waited {
        wait(&state, id, known_revision(&headers), seconds).await?;
    }
    let job = hornbook_db::jobs::get(&state.db, id).await?;
    let view = JobView::whole(&state, job).await?;
    let bytes = serde_json::to_vec(&view).map_err(|error| Problem::internal(&error))?;
    let tag = tag(view.revision, &content_tag(&bytes));
    let mut response = Conditional::tagged(&headers, &tag, &view);
    if let Some(Ok(applied)) = waited.map(|s| HeaderValue::try_from(format!("wait={s}"))) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// Carries the revision, so that a long poll knows what its client has seen.
fn tag(revision: i64, content: &str) -> String {
    format!("W/\"{revision}-{}\"", content.trim_start_matches("W/").trim_matches('"'))
}

fn known_revision(headers: &HeaderMap) -> Option<i64> {
    let tag = headers.get(IF_NONE_MATCH)?.to_str().ok()?;
    tag.trim().trim_start_matches("W/").trim_matches('"').split_once('-')?.0.parse().ok()
}
