//! What happened to a job: as a list, or as a stream that goes on while the job does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use hornbook_db::{Subscription, events, jobs};
use hornbook_types::JobEvent;
use http::header::{ACCEPT, HeaderName};
use http::{HeaderMap, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::watch::place;
use crate::extract::{Conditional, ListQuery, Page, QueryParams, job_id};
use crate::limits::{EVENTS_AT_ONCE, SSE_KEEP_ALIVE_SECONDS, WATCH_POLL_SECONDS};
use crate::{AppState, CanRead, Problem};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A job's events in order. With `Accept: text/event-stream` they are a stream, which begins after
/// `Last-Event-ID` (else at the first event) and ends when the job has; each event's id is its
/// number, its name its kind, and its data the event as JSON. 204 ends a stream for good.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/events", tag = "jobs",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ListQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Number of the last event that the client has"),
    ),
    responses(
        (status = 200, description = "One page of events, or the stream", content(
            (Page<JobEvent> = "application/json"), (String = "text/event-stream"))),
        (status = 204, description = "The job has ended and the client has every event"),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_job_events(
    _: CanRead,
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let (after, limit) = query.position::<i64>()?;
    // Looked up first: a job that does not exist has no events, but that is 404.
    jobs::state(&state.db, id).await?;
    let after = after.or(last_event_id(&headers)?).unwrap_or(0);
    if wants_stream(&headers) {
        return follow(state, id, after).await;
    }
    let rows = events::list(&state.db, id, after, limit + 1).await?;
    Conditional::json(&headers, &Page::cut(rows, limit, |last| last.seq))
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/event-stream"))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let id = id.to_str().ok().and_then(|id| id.trim().parse().ok()).filter(|&id: &i64| id >= 0);
    id.map(Some).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "Last-Event-ID is not a number of ours",
        )
    })
}

/// A stream under way.
struct Follower {
    state: AppState,
    job: Uuid,
    after: i64,
    waiting: VecDeque<JobEvent>,
    subscription: Subscription,
    _place: OwnedSemaphorePermit,
}

async fn follow(state: AppState, job: Uuid, after: i64) -> Result<Response, Problem> {
    let place = place(&state)?;
    // Subscribed before the first look, so that nothing falls between the two.
    let subscription = state.notifier.subscribe();
    let mut follower =
        Follower { state, job, after, waiting: VecDeque::new(), subscription, _place: place };
    if after > 0 && follower.has_all().await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(SSE_KEEP_ALIVE_SECONDS));
    Ok(Sse::new(follower.into_stream()).keep_alive(keep_alive).into_response())
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            // Serialising a job event cannot fail; a stream that could not go on would end.
            let data = Event::default()
                .id(event.seq.to_string())
                .event(event.kind.as_str())
                .json_data(&event)
                .ok()?;
            Some((Ok(data), follower))
        })
    }

    /// The next event, or `None` when the job has ended or the client must come again.
    async fn next(&mut self) -> Option<JobEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.after = event.seq;
                return Some(event);
            }
            if self.has_all().await.ok()? {
                return None;
            }
            if !self.waiting.is_empty() {
                continue;
            }
            let look_again = Duration::from_secs(WATCH_POLL_SECONDS);
            tokio::select! {
                _ = self.subscription.changed(Some(self.job), look_again) => {}
                () = self.state.shutdown.cancelled() => return None,
            }
        }
    }

    /// Reads on; true when there is nothing left to read and nothing more will come.
    async fn has_all(&mut self) -> Result<bool, Problem> {
        // The state is read first: whatever was written before it is seen by the read after it.
        let job = jobs::get(&self.state.db, self.job).await?;
        let events = events::list(&self.state.db, self.job, self.after, EVENTS_AT_ONCE).await?;
        self.waiting.extend(events);
        Ok(self.waiting.is_empty() && job.state.has_ended() && !job.assembly_pending)
    }
}
