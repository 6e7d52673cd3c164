//! A few honest counters for Prometheus.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};

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
    text.gauge("hornbook_database_up", "1 when the database answers.", up.into());
    Ok(text.into_response())
}
