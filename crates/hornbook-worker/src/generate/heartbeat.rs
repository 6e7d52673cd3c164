//! Keeping leases alive, and hearing at the same time of pauses, cancellations and lost leases.

use std::sync::Arc;
use std::time::Duration;

use hornbook_db::{DbError, leases};
use hornbook_types::limits::HEARTBEAT_SECONDS;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::limits::{DATABASE_RETRY, SHARES_REST, SHARES_WAIT};
use crate::shared::in_time;

/// Shortest time between two heartbeats, however many notifications arrive.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);

/// Beats until `stop`; a change to any job makes it beat at once.
pub(crate) async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    tokio::select! {
        () = beat(&desk, &stop) => {}
        // Beside the beats, because one that gets no answer must keep neither shares nor leases alive.
        () = desk.shares.lapse_when_due() => {}
        () = desk.lapse_when_due() => {}
    }
}

async fn beat(desk: &Arc<Desk>, stop: &CancellationToken) {
    let mut news = desk.shared.notifier.subscribe();
    let mut renewed: Option<Instant> = None;
    let mut shrank = false;
    while !stop.is_cancelled() {
        if let Err(error) = leases(desk).await {
            tracing::warn!(%error, "no heartbeat");
            tokio::time::sleep(DATABASE_RETRY).await;
            continue;
        }
        if shrank || renewed.is_none_or(|at| at.elapsed() >= SHARES_REST) {
            renewed = Some(Instant::now());
            shrank = match in_time(desk.renew_shares()).await {
                Ok(shrank) => shrank,
                Err(error) => {
                    tracing::warn!(%error, "shares of endpoints' limits were not renewed");
                    false
                }
            };
        }
        // What was given up is nobody's until the database hears that it was.
        let longest = match (shrank, desk.shares.lacks_some()) {
            (true, _) => SHORTEST_INTERVAL,
            (false, true) => SHARES_WAIT,
            (false, false) => Duration::from_secs(HEARTBEAT_SECONDS),
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = news.changed(None, longest) => {
                tokio::time::sleep(SHORTEST_INTERVAL).await;
            }
        }
    }
}

async fn leases(desk: &Arc<Desk>) -> Result<(), DbError> {
    let asked = desk.tokens();
    let asked_at = Instant::now();
    let held = in_time(leases::heartbeat(&desk.shared.db, desk.shared.worker, &asked)).await?;
    desk.obey(&asked, asked_at, &held).await;
    Ok(())
}
