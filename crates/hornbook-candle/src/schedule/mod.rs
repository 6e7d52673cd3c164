//! Which rows the next pass computes, and what becomes of its logits.
//!
//! Requests wait in `queue`; `intake` turns them into sequences on a thread of its own, so that a
//! long text stalls nobody who is being written; the `scheduler` gives them slots and pages and
//! puts passes together; a `sequence` is fed and draws its tokens; its `transcript` makes text of
//! them and hands it to whoever reads along. `figures` tell everybody how busy all that is.

mod answer;
mod figures;
mod intake;
mod queue;
mod scheduler;
mod sequence;
#[cfg(test)]
pub(crate) mod tests;
mod transcript;

pub(crate) use answer::{cancelled, gone, stopped};
pub(crate) use figures::{Figures, Queued};
pub(crate) use intake::Intake;
pub(crate) use queue::{QueueReceiver, QueueSender, queue};
pub(crate) use scheduler::{Common, Scheduler};

use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};

use hornbook_inference::{Completion, CompletionError, CompletionRequest, Piece};
use tokio::sync::{mpsc, oneshot};

use crate::kernel::PageId;
use crate::model::{ComputeError, Pass};

/// What a caller gets: the answer, and what of it was not sent as pieces yet.
pub(crate) type Answer = Result<(Completion, Piece), CompletionError>;

/// One prompt on its way to the engine. Dropping the receiver of `reply` gives it up.
pub(crate) struct Work {
    /// First, so that it is dropped first: whoever is told is not counted any more.
    pub(crate) queued: Queued,
    pub(crate) request: CompletionRequest,
    /// Who reads the answer while it is written.
    pub(crate) pieces: Option<mpsc::Sender<Piece>>,
    pub(crate) reply: oneshot::Sender<Answer>,
}

/// What computes passes.
pub(crate) trait Forward: Send {
    /// Length of one row of logits.
    fn vocabulary(&self) -> usize;

    /// Computes a pass and gives the wanted rows' logits in their order.
    fn forward(&mut self, pass: Pass<'_>) -> Result<&mut [f32], ComputeError>;

    /// Copies the first `positions` positions of a page to another.
    fn copy_page(&mut self, from: PageId, to: PageId, positions: usize)
    -> Result<(), ComputeError>;
}

/// Starts the threads: one reads prompts from `queue`, the other computes.
///
/// Both end when the queue does, or when either cannot go on; what is queued or under way then is
/// dropped, and so are its callers' senders.
pub(crate) fn spawn<F: Forward + 'static>(
    intake: Intake,
    queue: QueueReceiver<Work>,
    scheduler: Scheduler<F>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let (ready, prepared) = sync_channel(intake::READY_PROMPTS);
    let reading = Builder::new()
        .name("engine-prompts".to_owned())
        .spawn(move || intake.run(&queue, &ready))?;
    let computing =
        Builder::new().name("engine".to_owned()).spawn(move || scheduler.run(&prepared))?;
    Ok(vec![reading, computing])
}
