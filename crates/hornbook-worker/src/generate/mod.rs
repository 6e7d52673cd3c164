//! Generate: permits first, then prompts.
//!
//! Every endpoint that this process can reach has a loop of its own (`puller`): it waits for leave to
//! send, takes the next prompt from the desk, and sends it. The desk holds the chunks that this
//! worker has leased; when fewer prompts lie there unsent than the endpoint may have under way, it
//! leases the next chunk, so the window rolls and never waits for a batch. Nobody pushes: a fast
//! endpoint takes more, a throttled one less, a dead one nothing.
//!
//! | file | a prompt's way |
//! |---|---|
//! | `desk`, `chunk`, `held`, `job` | leased, until when, and where each prompt is |
//! | `render`, `seeds` | rendered ahead, in batches |
//! | `puller`, `endpoints`, `down` | taken by an endpoint that may send it |
//! | `prompt`, `trials`, `judge` | completed, tried elsewhere, and judged |
//! | `group`, `commit` | stored with others |
//! | `quota` | or not sent, because enough were accepted without it |
//! | `budget`, `purse` | what may be spent on prompts |
//! | `heartbeat`, `pace` | what the database says of leases; how large they are |

mod budget;
mod chunk;
mod commit;
mod desk;
mod down;
mod endpoints;
mod group;
mod heartbeat;
mod held;
mod job;
mod judge;
mod pace;
mod prompt;
mod puller;
mod purse;
mod quota;
mod render;
mod seeds;
mod shares;
mod trials;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::shared::Shared;
use commit::Committer;
use desk::Desk;

/// Runs until `stop`, then until what is in flight has ended or `abort`, then hands leases back.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken, abort: CancellationToken) {
    let desk = Arc::new(Desk::new(Arc::clone(&shared), abort));
    let (committer, alive) = Committer::new(Arc::clone(&shared));
    let beating = CancellationToken::new();
    let heart =
        AbortOnDropHandle::new(tokio::spawn(heartbeat::run(Arc::clone(&desk), beating.clone())));
    let spending = CancellationToken::new();
    let purses =
        AbortOnDropHandle::new(tokio::spawn(budget::run(Arc::clone(&desk), spending.clone())));
    let rendering = render::run(Arc::clone(&desk), committer.clone());
    let rendering = AbortOnDropHandle::new(tokio::spawn(rendering));
    endpoints::run(&desk, &committer, &stop).await;
    desk.settle().await;
    desk.drain().await;
    drop(rendering);
    committer.finish().await;
    desk.hand_back().await;
    spending.cancel();
    if let Err(error) = purses.await {
        tracing::error!(%error, "looking after budgets ended badly");
    }
    beating.cancel();
    if let Err(error) = heart.await {
        tracing::error!(%error, "the heartbeat ended badly");
    }
    drop(alive);
}
