//! All jobs, newest first.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::jobs::{self, Job};
use uuid::Uuid;

use super::chrome::Chrome;
use super::view::{Bar, JobRow, JobsPage};
use super::{show, text};
use crate::extract::{ListQuery, Page, QueryParams};
use crate::{AppState, CanRead, Problem};

/// `GET /jobs`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (before, limit) = query.position::<Uuid>()?;
    let rows = jobs::list(&state.db, before, None, limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.id);
    let view = JobsPage {
        jobs: page.data.iter().map(JobRow::from).collect(),
        next: page.next_cursor.map(|cursor| format!("/jobs?cursor={cursor}")),
        first: before.map(|_| "/jobs".to_owned()),
        post_line: format!("curl --json @job.json {}/v1/jobs", state.config.base_url),
    };
    show("jobs.html", &Chrome::new(&caller, "jobs").exact(), &view)
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self {
            href: format!("/jobs/{}", job.id),
            name: text::one_line(&job.name),
            endpoints: job.endpoints.join(", "),
            state: job.state.into(),
            bar: Bar::from(&job.counts),
            accepted: text::count(job.counts.accepted),
            submitted: job.created_at.into(),
        }
    }
}
