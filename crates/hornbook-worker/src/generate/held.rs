//! Until when this worker may act on a lease, by its own clock.
//!
//! The database ends a lease by its own clock, and its owner may be the last to hear: cut off from it, or
//! stopped and started again. So a lease ends here as well, counted from before the question that
//! granted it, and a little earlier. Nothing is sent after that, and nothing under way is waited for.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio::time::Instant;

use crate::limits::LEASE_VALID;

/// The end of a lease, which moves on as the lease is renewed.
pub(crate) struct Held {
    asked: Instant,
    /// When it was renewed last, in microseconds since it was asked for.
    renewed_micros: AtomicU64,
}

impl Held {
    /// A lease that was asked for at that moment.
    pub(crate) fn since(asked: Instant) -> Self {
        Self { asked, renewed_micros: AtomicU64::new(0) }
    }

    /// It was asked for again at that moment, and granted.
    pub(crate) fn renew(&self, asked: Instant) {
        let micros = asked.saturating_duration_since(self.asked).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.renewed_micros.fetch_max(micros, Ordering::Relaxed);
    }

    /// When it ends.
    pub(crate) fn until(&self) -> Instant {
        let renewed = self.renewed_micros.load(Ordering::Relaxed);
        self.asked + std::time::Duration::from_micros(renewed) + LEASE_VALID
    }

    /// True when nothing may be done under it any more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.until()
    }

    /// Does `work` for as long as the lease is held; `None` when it ended before.
    ///
    /// The clock is looked at before each step: a process that was stopped in the middle does not
    /// take the next one, whatever it finds ready when it goes on.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.during_by(Instant::now, work).await
    }

    async fn during_by<T>(
        &self,
        now: impl Fn() -> Instant,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match self.is_over(now()) {
            true => Poll::Ready(None),
            false => work.as_mut().poll(context).map(Some),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_ends_a_while_after_the_last_question_that_was_answered() {
        let asked = Instant::now();
        let held = Held::since(asked);
        assert!(!held.is_over(asked + LEASE_VALID - Duration::from_millis(1)));
        assert!(held.is_over(asked + LEASE_VALID));
        held.renew(asked + Duration::from_secs(5));
        // An answer that was overtaken by a later one.
        held.renew(asked + Duration::from_secs(4));
        assert_eq!(held.until(), asked + Duration::from_secs(5) + LEASE_VALID);
    }

    #[tokio::test]
    async fn no_step_is_taken_after_the_end() {
        let now = Cell::new(Instant::now());
        let held = Held::since(now.get());
        let steps = Cell::new(0);
        let work = async {
            loop {
                steps.set(steps.get() + 1);
                now.set(now.get() + Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        let outcome: Option<()> = held.during_by(|| now.get(), work).await;
        assert_eq!((outcome, steps.get()), (None, LEASE_VALID.as_secs()));
    }

    #[tokio::test]
    async fn what_became_ready_in_its_sleep_is_not_done() {
        let now = Cell::new(Instant::now());
        let held = Held::since(now.get());
        let (ready, waiting) = tokio::sync::oneshot::channel();
        let sent = Cell::new(false);
        let work = async {
            let _ = waiting.await;
            sent.set(true);
        };
        let wakes = async {
            // The process stands still; what it waited for comes, and then it goes on.
            now.set(now.get() + LEASE_VALID);
            let _ = ready.send(());
        };
        let (outcome, ()) = tokio::join!(held.during_by(|| now.get(), work), wakes);
        assert_eq!((outcome, sent.get()), (None, false));
    }
}
