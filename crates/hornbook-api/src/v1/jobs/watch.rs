//! Waiting for a job to change, within limits.

use std::time::Duration;

use hornbook_db::jobs;
use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use uuid::Uuid;

use crate::limits::{LONG_POLL_SECONDS, WATCH_POLL_SECONDS, WATCHERS_AT_ONCE};
use crate::{AppState, Problem};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A place among those who wait; 429 when there is none.
pub(super) fn place(state: &AppState) -> Result<OwnedSemaphorePermit, Problem> {
    state.watchers.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            format!("{WATCHERS_AT_ONCE} clients are waiting for jobs already"),
        )
        .header(RETRY_AFTER, "10")
    })
}

/// How long the client prefers to wait (`Prefer: wait=30`), in seconds.
pub(super) fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    let seconds = headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?
        .1;
    let seconds: u64 = seconds.trim().trim_matches('"').parse().ok()?;
    Some(seconds.min(LONG_POLL_SECONDS))
}

/// Waits until the job's revision is no longer `known`, it has ended, or the time is up.
pub(super) async fn wait(
    state: &AppState,
    id: Uuid,
    known: Option<i64>,
    wait_seconds: u64,
) -> Result<(), Problem> {
    let _place = place(state)?;
    let deadline = Instant::now() + Duration::from_secs(wait_seconds);
    // Subscribed before the first look, so that nothing falls between the two.
    let mut subscription = state.notifier.subscribe();
    let mut known = known;
    loop {
        let (now, revision) = jobs::state(&state.db, id).await?;
        if now.has_ended() || known.is_some_and(|known| known != revision) {
            return Ok(());
        }
        known.get_or_insert(revision);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let look_again = left.min(Duration::from_secs(WATCH_POLL_SECONDS));
        tokio::select! {
            _ = subscription.changed(Some(id), look_again) => {}
            () = state.shutdown.cancelled() => return Ok(()),
        }
    }
}
