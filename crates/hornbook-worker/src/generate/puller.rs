//! One endpoint's loop: a free slot, then the next prompt.

use std::sync::Arc;

use hornbook_inference::SharedBackend;
use hornbook_types::{EndpointPrice, Slug};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::commit::Committer;
use super::desk::Desk;
use super::prompt::{self, Task};
use crate::limits::{DATABASE_RETRY, IDLE_INTERVAL};

/// An endpoint that can be asked.
pub(crate) struct Live {
    pub(crate) name: Slug,
    pub(crate) is_local: bool,
    pub(crate) price: EndpointPrice,
    pub(crate) backend: SharedBackend,
}

/// Pulls prompts until `stop`; what is in flight then goes on by itself.
pub(crate) async fn run(
    desk: Arc<Desk>,
    committer: Committer,
    live: Arc<Live>,
    stop: CancellationToken,
) {
    let slots = live.backend.slots().max(1);
    let free = Arc::new(Semaphore::new(slots));
    let hungry = Notify::new();
    let supply = keep_supplied(&desk, &live.name, slots, &hungry);
    let pull = pull(&desk, &committer, &live, &free, &hungry);
    tokio::select! {
        () = stop.cancelled() => {}
        () = supply => {}
        () = pull => {}
    }
}

async fn pull(
    desk: &Arc<Desk>,
    committer: &Committer,
    live: &Arc<Live>,
    free: &Arc<Semaphore>,
    hungry: &Notify,
) {
    let mut changes = desk.changes();
    loop {
        let Ok(permit) = Arc::clone(free).acquire_owned().await else {
            return;
        };
        let (chunk, seq) = loop {
            changes.borrow_and_update();
            if let Some(taken) = desk.take(&live.name) {
                break taken;
            }
            hungry.notify_one();
            if changes.changed().await.is_err() {
                return;
            }
        };
        hungry.notify_one();
        let task = Task {
            desk: Arc::clone(desk),
            committer: committer.clone(),
            live: Arc::clone(live),
            chunk,
            seq,
        };
        tokio::spawn(async move {
            prompt::run(task).await;
            drop(permit);
        });
    }
}

/// Leases the next chunk whenever fewer prompts lie unsent than the endpoint has slots.
async fn keep_supplied(desk: &Arc<Desk>, name: &Slug, slots: usize, hungry: &Notify) {
    let mut news = desk.shared.notifier.subscribe();
    loop {
        if desk.unsent_for(name) >= slots {
            hungry.notified().await;
            continue;
        }
        match Arc::clone(desk).claim_apart(name.clone(), slots).await {
            Ok(true) => {}
            Ok(false) => {
                news.changed(None, IDLE_INTERVAL).await;
            }
            Err(error) => {
                tracing::warn!(%error, endpoint = %name, "cannot lease prompts");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
        }
    }
}
