//! Time and chance, handed in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::{Clock, SystemClock, mix};

/// A monotonic clock that one can wait on; limits and back-off run on it.
pub trait Timer: Send + Sync {
    /// Time since some fixed moment.
    fn elapsed(&self) -> Duration;

    /// Waits until `elapsed()` has reached `at`.
    fn sleep_until(&self, at: Duration) -> BoxFuture<'static, ()>;
}

/// A timer shared between tasks.
pub type SharedTimer = Arc<dyn Timer>;

/// The runtime's own timer.
#[derive(Clone, Copy, Debug)]
pub struct TokioTimer {
    origin: tokio::time::Instant,
}

impl Default for TokioTimer {
    fn default() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl Timer for TokioTimer {
    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep_until(&self, at: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until(self.origin + at))
    }
}

/// What a backend takes from its surroundings.
#[derive(Clone)]
pub struct Ambient {
    /// Time of day, for dates in `Retry-After`.
    pub clock: Arc<dyn Clock>,
    /// What limits and back-off wait on.
    pub timer: SharedTimer,
    jitter_seed: u64,
    jitter_draws: Arc<AtomicU64>,
}

impl Ambient {
    /// Surroundings made of the given parts; back-off draws its jitter from `jitter_seed`.
    pub fn new(clock: Arc<dyn Clock>, timer: SharedTimer, jitter_seed: u64) -> Self {
        Self { clock, timer, jitter_seed, jitter_draws: Arc::default() }
    }

    /// The machine's clocks; give each process a `jitter_seed` of its own.
    pub fn system(jitter_seed: u64) -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(TokioTimer::default()), jitter_seed)
    }

    /// The next number in 0..1 for jitter.
    pub(crate) fn draw(&self) -> f64 {
        let word = mix(self.jitter_seed, self.jitter_draws.fetch_add(1, Ordering::Relaxed));
        (word >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Mutex;

    use super::*;

    /// A timer on which every wait is over at once and moves the time on instead.
    #[derive(Default)]
    pub(crate) struct LeapingTimer(Arc<Mutex<Duration>>);

    impl LeapingTimer {
        pub(crate) fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }
    }

    impl Timer for LeapingTimer {
        fn elapsed(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep_until(&self, at: Duration) -> BoxFuture<'static, ()> {
            let now = Arc::clone(&self.0);
            Box::pin(async move {
                // Everybody else gets a turn while this one "waits".
                tokio::task::yield_now().await;
                let mut now = now.lock().unwrap();
                *now = (*now).max(at);
            })
        }
    }
}
