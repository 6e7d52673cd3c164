//! What is counted about a job's documents.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::corpora;
use hornbook_db::jobs::{self, Point};
use hornbook_types::{Cell, Counts, ErrorCount, Verdict};
use http::HeaderMap;
use serde::Serialize;
use time::OffsetDateTime;

use crate::extract::{Conditional, job_id};
use crate::limits::SERIES_POINTS;
use crate::v1::version::found;
use crate::{AppState, CanRead, Problem};

/// Kinds of error in the statistics.
const TOP_ERRORS: u32 = 50;

/// Counts of a job's documents; kept while they arrive or noted with its corpus, never made by reading them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct JobStats {
    /// How its prompts stand.
    counts: Counts,
    /// Documents by audience, format, verdict and reason.
    cells: Vec<Cell>,
    /// Documents refused, by the gate's name.
    rejected: BTreeMap<String, u64>,
    /// Accepted documents that the job's current corpus left out, by reason: `duplicate_exact`,
    /// `duplicate_near`, `decontaminated` or a gate of the assembly; null while there is no corpus.
    dropped: Option<BTreeMap<String, u64>>,
    /// The commonest errors of failed prompts.
    errors: Vec<ErrorCount>,
    /// The job's course over time, oldest first.
    series: Vec<PointView>,
}

/// One point of a job's course.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StatsPoint)]
pub(crate) struct PointView {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Prompts ended by then.
    ended: u64,
    /// Documents accepted by then.
    accepted: u64,
    /// Completion tokens by then.
    completion_tokens: u64,
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        Self {
            at: point.at,
            ended: point.ended,
            accepted: point.accepted,
            completion_tokens: point.completion_tokens,
        }
    }
}

/// Counts of a job's documents by cell and reason, its commonest errors, and its course over time.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/stats", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "The counts", body = JobStats),
        (status = 304, description = "The client has them as they are"),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_job_stats(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let counts = jobs::counts(&state.db, id).await?.counts;
    let cells = jobs::cells(&state.db, id).await?;
    let mut rejected = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.verdict == Verdict::Rejected) {
        *rejected.entry(cell.reason.clone()).or_insert(0) += cell.count;
    }
    let corpus = found(corpora::by_job(&state.db, id).await)?;
    let dropped = corpus.map(|corpus| corpus.manifest.content.counts.dropped);
    let errors = jobs::errors(&state.db, id, TOP_ERRORS).await?;
    let series = jobs::series(&state.db, id, SERIES_POINTS).await?;
    let series = series.into_iter().map(PointView::from).collect();
    Conditional::json(&headers, &JobStats { counts, cells, rejected, dropped, errors, series })
}
