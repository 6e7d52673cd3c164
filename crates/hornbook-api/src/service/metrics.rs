//! A few honest counters for Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::limits::{RENDERS_AT_ONCE, WATCHERS_AT_ONCE};
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
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let replies: Vec<(String, u64)> = (1..=5)
        .map(|class| (format!("{{class=\"{class}xx\"}}"), state.metrics.replies(class)))
        .collect();
    family("hornbook_http_replies_total", "counter", "Replies by class of status.", &replies);
    let plain = |value: u64| [(String::new(), value)];
    family(
        "hornbook_corpus_bytes_total",
        "counter",
        "Bytes of corpus files handed to clients.",
        &plain(state.metrics.file_bytes.load(Ordering::Relaxed)),
    );
    family(
        "hornbook_watchers",
        "gauge",
        "Event streams and long polls open.",
        &plain((WATCHERS_AT_ONCE - state.watchers.available_permits()) as u64),
    );
    family(
        "hornbook_renders",
        "gauge",
        "Templates being rendered.",
        &plain((RENDERS_AT_ONCE - state.render.free()) as u64),
    );
    family("hornbook_database_up", "gauge", "1 when the database answers.", &plain(up.into()));
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
