//! How long a thread spins.

use std::time::{Duration, Instant};

/// How long an idle thread waits for more work before it sleeps: the serial parts between two
/// pieces of work are shorter, and being woken takes about as long.
pub(super) const SPIN: Duration = Duration::from_micros(50);
/// Turns of a spinning loop between two looks at the clock.
const SPINS_PER_LOOK: u32 = 32;
/// A moment of spinning.
pub(super) struct Patience {
    turns: u32,
    began: Option<Instant>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { turns: 0, began: None }
    }

    /// Spins once; true when it has gone on for long.
    pub(super) fn is_over(&mut self) -> bool {
        std::hint::spin_loop();
        self.turns += 1;
        if !self.turns.is_multiple_of(SPINS_PER_LOOK) {
            return false;
        }
        self.began.get_or_insert_with(Instant::now).elapsed() > SPIN
    }
}
