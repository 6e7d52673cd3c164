//! Lists jobs, newest first.

use axum::extract::State;
use axum::response::Response;
use hornbook_types::JobState;
use http::HeaderMap;
use serde::Deserialize;
use uuid::Uuid;

use super::JobView;
use crate::extract::{Conditional, Page, QueryParams, decode_cursor, page_limit};
use crate::{AppState, CanRead, Problem};

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// Jobs on the page, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those in this state.
    state: Option<JobState>,
}

/// Jobs, newest first, without their specs.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", params(Filters),
    responses((status = 200, description = "One page of jobs", body = Page<JobView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_jobs(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<Filters>,
) -> Result<Response, Problem> {
    let before: Option<Uuid> = decode_cursor(query.cursor.as_deref())?;
    let limit = page_limit(query.limit)?;
    let rows = hornbook_db::jobs::list(&state.db, before, query.state, limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.id);
    let now = state.clock.now();
    Conditional::json(&headers, &page.map(|job| JobView::brief(job, None, now)))
}
