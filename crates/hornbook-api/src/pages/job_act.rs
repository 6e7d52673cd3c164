//! The buttons of a job's page.

use axum::extract::{Path, State};
use axum::response::Redirect;
use hornbook_db::jobs;

use crate::extract::job_id;
use crate::{AppState, CanWrite, Problem};

/// `POST /jobs/{id}/{verb}`, then back to the job's page.
pub(super) async fn act(
    _: CanWrite,
    State(state): State<AppState>,
    Path((id, verb)): Path<(String, String)>,
) -> Result<Redirect, Problem> {
    let id = job_id(&id)?;
    match verb.as_str() {
        "pause" => drop(jobs::pause(&state.db, id).await?),
        "resume" => drop(jobs::resume(&state.db, id).await?),
        "cancel" => drop(jobs::cancel(&state.db, id).await?),
        "retry" => drop(jobs::retry(&state.db, id, None).await?),
        _ => return Err(Problem::not_found("this action")),
    }
    Ok(Redirect::to(&format!("/jobs/{id}")))
}
