//! The few numbers that this process itself knows.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

/// Counters since the start of the process.
#[derive(Default)]
pub(crate) struct Metrics {
    /// Replies by first digit of their status, 1 to 5.
    replies: [AtomicU64; 5],
    /// Bytes of corpus files handed to clients.
    pub(crate) file_bytes: AtomicU64,
}

impl Metrics {
    /// Counts one reply.
    pub(crate) fn count_reply(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.replies.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the counters of replies.
    pub(crate) fn write_replies(&self, text: &mut Exposition) {
        let replies: Vec<(String, u64)> = (1..=5)
            .map(|class| (format!("{{class=\"{class}xx\"}}"), self.replies(class)))
            .collect();
        text.family(
            "hornbook_http_replies_total",
            "counter",
            "Replies by class of status.",
            &replies,
        );
    }

    /// Replies so far of statuses `class`00 to `class`99.
    fn replies(&self, class: usize) -> u64 {
        self.replies.get(class.saturating_sub(1)).map_or(0, |n| n.load(Ordering::Relaxed))
    }
}

/// Numbers in the Prometheus text format.
#[derive(Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// Adds a family with its samples, each with its labels in braces, or none.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(String, u64)]) {
        let text = &mut self.0;
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }

    /// Adds a number that only rises.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help, &[(String::new(), value)]);
    }

    /// Adds a number that rises and falls.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help, &[(String::new(), value)]);
    }
}

impl IntoResponse for Exposition {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4")], self.0).into_response()
    }
}
