//! Leave to send one request.

use std::sync::Arc;
use std::time::Duration;

use super::Limiter;
use super::state::Taken;

/// How one attempt ended, as far as its endpoint's limits are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came, with this many completion tokens.
    Answered {
        /// From sending to the answer's last byte, without the time that it waited here.
        latency: Duration,
        /// Tokens of the completion.
        tokens: u64,
    },
    /// The endpoint has too much to do.
    Throttled {
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
        /// It could not serve at all (503), which a server that is down says as well.
        is_unavailable: bool,
    },
    /// The endpoint could not be reached, or failed.
    Failed {
        /// Something answered, though not what was asked for.
        is_reached: bool,
    },
    /// The endpoint works and declined this request.
    Declined,
}

/// Leave to send one request; dropping it frees the slot.
pub struct Admission {
    limiter: Arc<Limiter>,
    taken: Taken,
}

impl Admission {
    pub(super) fn new(limiter: Arc<Limiter>, taken: Taken) -> Self {
        Self { limiter, taken }
    }

    /// The request that is sent uses about `tokens`, not what was asked for; it is sent now.
    pub fn reestimate(&mut self, tokens: u64) {
        let now = self.limiter.now();
        let taken = &mut self.taken;
        self.limiter.change(|state| state.send(taken, now, Some(tokens)));
    }

    /// Puts the tokens that were really used in the place of the estimate.
    pub fn settle(self, tokens: u64) {
        self.limiter.change(|state| state.settle(&self.taken, tokens));
    }

    /// Takes it all back: nothing was sent.
    pub fn give_back(self) {
        self.limiter.change(|state| state.give_back(&self.taken));
    }

    /// True where this request finds out whether the endpoint is up again.
    pub(crate) fn is_probe(&self) -> bool {
        self.taken.is_probe
    }

    /// The request is sent now; says when that is.
    pub(crate) fn send(&mut self) -> Duration {
        let now = self.limiter.now();
        let taken = &mut self.taken;
        self.limiter.state().send(taken, now, None);
        now
    }

    /// The answer is here and the slot another's; what it means is reported later.
    pub(crate) fn free(&mut self) {
        let taken = &mut self.taken;
        self.limiter.change(|state| state.free(taken));
    }

    /// Tells the limiter how the attempt ended.
    pub fn report(&mut self, outcome: Outcome) {
        let now = self.limiter.now();
        let draw = self.limiter.ambient.draw();
        let taken = &mut self.taken;
        self.limiter.change(|state| state.report(taken, now, outcome, draw));
        if let Outcome::Throttled { retry_after: Some(wait), .. } = outcome {
            self.limiter.hold(wait);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let now = self.limiter.now();
        self.limiter.change(|state| state.release(&self.taken, now));
    }
}
