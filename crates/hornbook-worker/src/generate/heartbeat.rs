//! Keeping leases alive, and hearing at the same time of pauses, cancellations and lost leases.

use std::sync::Arc;
use std::time::Duration;

use hornbook_db::leases;
use hornbook_types::limits::HEARTBEAT_SECONDS;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::limits::DATABASE_RETRY;

/// Shortest time between two heartbeats, however many notifications arrive.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);

/// Beats until `stop`; a change to any job makes it beat at once.
pub(crate) async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let mut news = desk.shared.notifier.subscribe();
    while !stop.is_cancelled() {
        let asked = desk.tokens();
        match leases::heartbeat(&desk.shared.db, desk.shared.worker, &asked).await {
            Ok(held) => desk.obey(&asked, &held).await,
            Err(error) => {
                tracing::warn!(%error, "no heartbeat");
                tokio::time::sleep(DATABASE_RETRY).await;
                continue;
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = news.changed(None, Duration::from_secs(HEARTBEAT_SECONDS)) => {
                tokio::time::sleep(SHORTEST_INTERVAL).await;
            }
        }
    }
}
