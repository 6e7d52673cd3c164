//! A few honest counters for Prometheus.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hornbook_db::documents::{COMMIT_CLASSES_MILLIS, DurationFigures};
use hornbook_inference::{EndpointHealth, LimiterFigures};
use hornbook_types::Slug;

use crate::limits::{RENDERS_AT_ONCE, WATCHERS_AT_ONCE};
use crate::metrics::Exposition;
use crate::{AppState, CanRead, Problem};

/// Counters of this process since its start, in the Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses((status = 200, description = "The counters", body = String, content_type = "text/plain; version=0.0.4")),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn metrics(
    _: CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let up = u8::from(state.db.ping().await.is_ok());
    let mut text = Exposition::default();
    state.metrics.write_replies(&mut text);
    text.counter(
        "hornbook_corpus_bytes_total",
        "Bytes of corpus files handed to clients.",
        state.metrics.file_bytes.load(Ordering::Relaxed),
    );
    text.gauge(
        "hornbook_watchers",
        "Event streams and long polls open.",
        (WATCHERS_AT_ONCE - state.watchers.available_permits()) as u64,
    );
    text.gauge(
        "hornbook_renders",
        "Templates being rendered.",
        (RENDERS_AT_ONCE - state.render.free()) as u64,
    );
    write_endpoints(&mut text, &(state.endpoint_figures)());
    write_durations(
        &mut text,
        "hornbook_commit",
        "Time in which the database stored a group of documents",
        &state.commits.commits(),
    );
    write_durations(
        &mut text,
        "hornbook_document_wait",
        "Time from an answer until its document was stored",
        &state.commits.waits(),
    );
    text.gauge("hornbook_database_up", "1 when the database answers.", up.into());
    Ok(text.into_response())
}

/// A histogram, and the longest of all beside it.
fn write_durations(text: &mut Exposition, name: &str, help: &str, figures: &DurationFigures) {
    let bounds = COMMIT_CLASSES_MILLIS.iter().map(u64::to_string).zip(figures.up_to.iter());
    let classes = bounds.map(|(bound, count)| (format!("_bucket{{le=\"{bound}\"}}"), *count));
    let whole = [("_bucket{le=\"+Inf\"}", figures.count), ("_sum", figures.total_millis)];
    let whole = whole.into_iter().chain([("_count", figures.count)]);
    let samples: Vec<(String, u64)> =
        classes.chain(whole.map(|(suffix, value)| (suffix.to_owned(), value))).collect();
    text.family(&format!("{name}_milliseconds"), "histogram", &format!("{help}."), &samples);
    let longest = format!("{name}_longest_milliseconds");
    text.gauge(&longest, &format!("{help}, the longest."), figures.longest_millis);
}

/// One family: its name, its kind, what it is, and how to read it.
type Family = (&'static str, &'static str, &'static str, fn(&LimiterFigures) -> u64);

/// What each endpoint is asked by each worker of this process.
const ENDPOINT_FAMILIES: [Family; 10] = [
    ("up", "gauge", "0 while the endpoint is down and only probed.", |one| {
        (one.health == EndpointHealth::Closed).into()
    }),
    ("window", "gauge", "Requests that may be under way.", |one| one.window),
    ("in_flight", "gauge", "Requests under way.", |one| one.in_use),
    ("waiting", "gauge", "Requests that wait for leave to be sent.", |one| one.waiting),
    ("held_milliseconds", "gauge", "Time for which the endpoint asked to be left alone.", |one| {
        one.held_millis
    }),
    ("last_minute_requests", "gauge", "Requests of the last minute.", |one| {
        one.requests_last_minute
    }),
    ("requests_total", "counter", "Requests sent, further attempts included.", |one| one.requests),
    ("throttled_total", "counter", "Requests that the endpoint put off.", |one| one.throttled),
    ("failed_total", "counter", "Requests that failed on the way or in the server.", |one| {
        one.failed
    }),
    ("tokens_total", "counter", "Tokens used.", |one| one.tokens),
];

fn write_endpoints(text: &mut Exposition, endpoints: &BTreeMap<(Slug, usize), LimiterFigures>) {
    for (name, kind, help, read) in ENDPOINT_FAMILIES {
        let samples: Vec<(String, u64)> = endpoints
            .iter()
            // A slug holds nothing that a label would have to escape.
            .map(|((endpoint, worker), figures)| {
                (format!("{{endpoint=\"{endpoint}\",worker=\"{worker}\"}}"), read(figures))
            })
            .collect();
        text.family(&format!("hornbook_endpoint_{name}"), kind, help, &samples);
    }
}
