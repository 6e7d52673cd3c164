//! What an endpoint allows: requests under way, requests a minute, tokens a minute.
//!
//! All three are taken together and in order of arrival: whoever is first in the queue waits
//! for everything it needs while the others wait behind it, so a large request is never
//! overtaken for ever by small ones. How many requests may be under way is found out
//! (`window.rs`), an endpoint that is down is left alone (`breaker.rs`), and what it says of its
//! own limits is obeyed. The time and the chance that all this runs on are parameters.

mod account;
mod admission;
mod breaker;
mod bucket;
mod figures;
mod latency;
mod rate;
mod refusals;
mod state;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_types::{EndpointLimits, SystemClock};
use tokio::sync::{Notify, watch};

use crate::retry::{RETRY_AFTER_CAP_SECONDS, RETRY_AFTER_HELD_SECONDS};
use crate::{Ambient, Timer};
pub use admission::{Admission, Outcome};
pub use figures::{EndpointHealth, LimiterFigures};
pub(crate) use state::Trouble;
use state::{Share, State};

/// Requests under way at once, to begin with, where an endpoint names no limit.
pub const IN_FLIGHT_START: u32 = 4;
/// Most requests under way at once where an endpoint names no limit.
pub const IN_FLIGHT_AUTO_MAX: u32 = 1_024;
/// Most requests under way at once at one endpoint.
pub const IN_FLIGHT_MAX: u32 = 65_536;
/// The window that limits per minute are kept in: a minute, and half a second for what the
/// network does to the spacing of requests on their way.
pub const WINDOW_MILLIS: u64 = 60_500;
/// Longest that an endpoint can ask to be left alone.
pub const HOLD_SECONDS_MAX: u64 = RETRY_AFTER_CAP_SECONDS;
/// Longest hold for what headers say is left: a guess, where nothing was refused.
pub const LEFT_HOLD_SECONDS_MAX: u64 = 120;

/// The limits of one endpoint, shared by everything that calls it.
pub struct Limiter {
    /// Whoever holds this is first in the queue; it is handed on in order of arrival.
    queue: tokio::sync::Mutex<()>,
    waiting: AtomicU64,
    state: Mutex<State>,
    /// Told whenever the first in the queue might get what it waits for.
    changed: Notify,
    window: watch::Sender<usize>,
    trouble: watch::Sender<Trouble>,
    last_error: Mutex<Option<String>>,
    ambient: Ambient,
}

impl Limiter {
    /// A limiter for `limits`; an absent rate is no limit, an absent `in_flight` is found out.
    pub fn new(limits: &EndpointLimits, ambient: Ambient) -> Arc<Self> {
        let share = Share {
            in_flight: limits.in_flight,
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
        };
        let now = ambient.timer.elapsed();
        Self::of(State::adaptive(share, now), ambient)
    }

    /// A limiter of `slots` requests under way and of nothing else, for a backend that needs no
    /// care, such as the local engine.
    pub fn fixed(slots: usize) -> Arc<Self> {
        let slots = u32::try_from(slots).unwrap_or(IN_FLIGHT_MAX);
        let ambient = Ambient::new(Arc::new(SystemClock), Arc::new(NoTime), 0);
        Self::of(State::fixed(slots), ambient)
    }

    /// The same for a backend that asks to be left alone at times.
    pub(crate) fn steady(slots: usize, ambient: Ambient) -> Arc<Self> {
        Self::of(State::fixed(u32::try_from(slots).unwrap_or(IN_FLIGHT_MAX)), ambient)
    }

    fn of(state: State, ambient: Ambient) -> Arc<Self> {
        Arc::new(Self {
            queue: tokio::sync::Mutex::new(()),
            waiting: AtomicU64::new(0),
            window: watch::Sender::new(state.window()),
            trouble: watch::Sender::default(),
            last_error: Mutex::default(),
            state: Mutex::new(state),
            changed: Notify::new(),
            ambient,
        })
    }

    /// Waits, in order of arrival, until a request of about `tokens` may be sent.
    ///
    /// A request of more tokens than a minute allows counts as a whole minute's worth. A wait
    /// that is given up leaves no trace. The request should be sent at once: an endpoint's own
    /// minute counts from there.
    pub async fn admit(self: &Arc<Self>, tokens: u64) -> Admission {
        let _waiting = Waiting::new(&self.waiting);
        let _first_in_queue = self.queue.lock().await;
        loop {
            let now = self.now();
            // What changes from here on is remembered by `changed`, so no news is missed.
            let until = match self.state().admit(now, tokens) {
                Ok(taken) => return Admission::new(Arc::clone(self), taken),
                Err(until) => until,
            };
            match until {
                Some(until) => tokio::select! {
                    biased;
                    () = self.changed.notified() => {}
                    () = self.ambient.timer.sleep_until(until) => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// Sets this process's share of the endpoint's limits; `None` is no limit.
    ///
    /// May be called at any time. A changed rate starts with an empty bucket while the account
    /// of the last minute is kept; a share of zero admits nothing until it grows; fewer in flight
    /// is obeyed as slots come free.
    pub fn set_share(
        &self,
        in_flight: Option<u32>,
        requests_per_minute: Option<u32>,
        tokens_per_minute: Option<u32>,
    ) {
        let share = Share { in_flight, requests_per_minute, tokens_per_minute };
        let now = self.now();
        self.change(|state| state.set_share(share, now));
    }

    /// Ends the share after `valid`, unless this is called again before.
    ///
    /// A share that was lent ends by the clock alone, in a process too that was stopped and goes on.
    pub fn share_lasts(&self, valid: Duration) {
        let until = self.now().saturating_add(valid);
        self.change(|state| state.share_lasts(until));
    }

    /// Obeys what an endpoint says is left of its limits.
    pub fn observe(&self, left: &LimitsLeft) {
        if let Some(reset) = left.empty_for() {
            self.hold(reset.min(Duration::from_secs(LEFT_HOLD_SECONDS_MAX)));
        }
    }

    /// Admits nobody for `wait`, up to [`HOLD_SECONDS_MAX`].
    pub fn hold(&self, wait: Duration) {
        let wait = wait.min(Duration::from_secs(HOLD_SECONDS_MAX));
        // Nobody asked for everybody in the same instant: other processes hold as well.
        let apart = wait.mul_f64(0.1 * self.ambient.draw()).min(Duration::from_secs(1));
        let until = self.now().saturating_add(wait).saturating_add(apart);
        let is_long = wait > Duration::from_secs(RETRY_AFTER_HELD_SECONDS);
        if self.change(|state| state.put_off(until, is_long)) {
            tracing::warn!(seconds = wait.as_secs(), "an endpoint asks to be left alone");
        }
    }

    /// Admits nobody while it is full for another reason than its limits.
    pub(crate) fn set_full(&self, is_full: bool) {
        self.change(|state| state.set_full(is_full));
    }

    /// Requests under way.
    pub fn in_use(&self) -> usize {
        self.state().in_use()
    }

    /// Requests that may be under way now: prompts that are worth holding for this endpoint.
    ///
    /// One while the endpoint is down (for the next probe), none while a share is zero.
    pub fn window(&self) -> usize {
        *self.window.borrow()
    }

    /// Tells when [`window`](Self::window) changes.
    pub fn watch_window(&self) -> watch::Receiver<usize> {
        self.window.subscribe()
    }

    /// True while the endpoint is down and left alone but for probes.
    pub fn is_down(&self) -> bool {
        self.state().is_down()
    }

    /// Waits until the endpoint is in a trouble that `minds` says is one.
    pub(crate) async fn in_trouble(&self, minds: impl Fn(Trouble) -> bool) {
        let mut trouble = self.trouble.subscribe();
        // The limiter holds the sender: it cannot go away meanwhile.
        let _ = trouble.wait_for(|trouble| minds(*trouble)).await;
    }

    /// The endpoint's trouble of the moment.
    pub(crate) fn trouble(&self) -> Trouble {
        *self.trouble.borrow()
    }

    /// What the endpoint last failed with, for people; never holds a secret.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what the endpoint failed with.
    pub(crate) fn note_error(&self, error: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// What the endpoint did so far and how it stands.
    pub fn figures(&self) -> LimiterFigures {
        let now = self.now();
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.state().figures(now, waiting)
    }

    fn now(&self) -> Duration {
        self.ambient.timer.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells whom it may concern.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let outcome = change(&mut state);
        let (window, trouble) = (state.window(), state.trouble());
        // Told under the lock, so that the last word is the latest.
        tell(&self.window, window);
        tell(&self.trouble, trouble);
        drop(state);
        self.changed.notify_one();
        outcome
    }
}

fn tell<T: PartialEq>(channel: &watch::Sender<T>, value: T) {
    channel.send_if_modified(|told| {
        let is_news = *told != value;
        *told = value;
        is_news
    });
}

/// What an endpoint says is left of its limits, and in how long they are whole again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsLeft {
    /// Requests left and the time to their reset.
    pub requests: Option<(u64, Duration)>,
    /// Tokens left and the time to their reset.
    pub tokens: Option<(u64, Duration)>,
}

impl LimitsLeft {
    /// How long nothing is left of one of the two.
    fn empty_for(&self) -> Option<Duration> {
        let empty = |left: Option<(u64, Duration)>| left.filter(|(left, _)| *left == 0);
        let wait = |left| empty(left).map(|(_, reset)| reset);
        wait(self.requests).max(wait(self.tokens)).filter(|wait| !wait.is_zero())
    }
}

/// Counts one that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicU64);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicU64) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The timer of a limiter that never waits for a time.
struct NoTime;

impl Timer for NoTime {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep_until(&self, _at: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

#[cfg(test)]
mod tests;
