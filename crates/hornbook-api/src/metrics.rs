//! The few numbers that this process itself knows.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

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

    /// Replies so far of statuses `class`00 to `class`99.
    pub(crate) fn replies(&self, class: usize) -> u64 {
        self.replies.get(class.saturating_sub(1)).map_or(0, |n| n.load(Ordering::Relaxed))
    }
}
