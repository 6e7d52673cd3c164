//! How much text may wait at one endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::limits::WAITING_BYTES;
use crate::limiter::Limiter;

/// The text of all prompts that wait; nobody is admitted while it is too much.
#[derive(Clone, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

/// One prompt's part of it, given back when it is dropped.
pub(super) struct Place {
    room: Room,
    limiter: Arc<Limiter>,
    bytes: usize,
}

impl Room {
    /// Takes in a prompt that was admitted.
    pub(super) fn take(&self, limiter: &Arc<Limiter>, bytes: usize) -> Place {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before < WAITING_BYTES && before + bytes >= WAITING_BYTES {
            limiter.set_full(true);
        }
        Place { room: self.clone(), limiter: Arc::clone(limiter), bytes }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
        if before >= WAITING_BYTES && before - self.bytes < WAITING_BYTES {
            self.limiter.set_full(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::Ambient;

    #[tokio::test]
    async fn nobody_is_admitted_while_too_much_text_waits() {
        let limiter = Limiter::steady(100, Ambient::system(1));
        let room = Room::default();
        let one = room.take(&limiter, WAITING_BYTES - 1);
        assert!(limiter.admit(0).now_or_never().is_some());
        let other = room.take(&limiter, 1);
        let more = room.take(&limiter, 5);
        assert!(limiter.admit(0).now_or_never().is_none());
        drop(other);
        assert!(limiter.admit(0).now_or_never().is_none());
        drop(more);
        assert!(limiter.admit(0).now_or_never().is_some());
        drop(one);
    }
}
