//! Generate: permits first, then prompts.
//!
//! Every endpoint that this process can reach has a loop of its own (`puller`): it waits for a free
//! slot, takes the next prompt from the desk, and sends it. The desk holds the chunks that this
//! worker has leased; when fewer prompts lie there unsent than there are free slots, it leases the
//! next chunk, so the window rolls and never waits for a batch. Nobody pushes: a fast endpoint takes
//! more, a throttled one less, a dead one nothing.

mod chunk;
mod commit;
mod desk;
mod endpoints;
mod heartbeat;
mod job;
mod pace;
mod prompt;
mod puller;
mod render;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::shared::Shared;
use commit::Committer;
use desk::Desk;

/// Runs until `stop`, then until what is in flight has ended or `abort`, then hands leases back.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken, abort: CancellationToken) {
    let desk = Arc::new(Desk::new(Arc::clone(&shared), abort));
    let (committer, committing) = Committer::start(Arc::clone(&shared));
    let beating = CancellationToken::new();
    let heart =
        AbortOnDropHandle::new(tokio::spawn(heartbeat::run(Arc::clone(&desk), beating.clone())));
    endpoints::run(&desk, &committer, &stop).await;
    desk.settle().await;
    desk.drain().await;
    // The last sender going away ends the committer, once everything is stored.
    drop(committer);
    if let Err(error) = committing.await {
        tracing::error!(%error, "the committer ended badly");
    }
    desk.hand_back().await;
    beating.cancel();
    if let Err(error) = heart.await {
        tracing::error!(%error, "the heartbeat ended badly");
    }
}
