//! A request under way: its places in the queue, and what happens when its client goes away.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::EngineState;
use super::fault::Fault;

/// Gives a request's answers up when it is dropped before they are whole.
pub(super) struct Underway {
    state: EngineState,
    cancel: CancellationToken,
    has_ended: bool,
}

impl Underway {
    /// A request that begins.
    pub(super) fn begin(state: &EngineState) -> Self {
        Self { state: state.clone(), cancel: state.give_up.child_token(), has_ended: false }
    }

    /// Cancelled when the answers are not wanted any more.
    pub(super) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Says that the client was told all there is.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.cancel.cancel();
        if !self.has_ended {
            self.state.counters.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A place in the queue for each of `answers` sequences, or none at all.
pub(super) fn places(
    state: &EngineState,
    answers: usize,
) -> Result<Vec<OwnedSemaphorePermit>, Fault> {
    let sequences = Arc::clone(&state.sequences);
    let taken = u32::try_from(answers)
        .ok()
        .and_then(|answers| sequences.try_acquire_many_owned(answers).ok());
    let Some(mut all) = taken else {
        state.counters.turned_away.fetch_add(1, Ordering::Relaxed);
        return Err(Fault::busy());
    };
    let mut places: Vec<_> = (1..answers).filter_map(|_| all.split(1)).collect();
    places.push(all);
    Ok(places)
}
