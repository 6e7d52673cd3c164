//! Minutes in milliseconds: time that stands still while anybody has something to do, and then
//! leaps to whatever is next. So what is counted here is exact and the same in every run.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hornbook_inference::{Ambient, Timer};
use hornbook_types::SystemClock;

/// A clock, and all that goes on at once under it.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Shared>);

#[derive(Default)]
struct Shared {
    time: Mutex<Time>,
    spawned: Mutex<Vec<BoxFuture<'static, ()>>>,
}

#[derive(Default)]
struct Time {
    now: Duration,
    /// Who sleeps, by the time to wake up; the number tells equals apart.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    slept: u64,
}

impl World {
    /// Surroundings that run on this clock.
    pub(crate) fn ambient(&self) -> Ambient {
        Ambient::new(Arc::new(SystemClock), Arc::new(self.clone()), 1)
    }

    /// Lets something go on by itself, until [`World::run`] ends.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawned.lock().unwrap().push(Box::pin(work));
    }

    /// Sleeps on this clock.
    pub(crate) async fn sleep(&self, wait: Duration) {
        self.sleep_until(self.elapsed() + wait).await;
    }

    /// Runs `main` and everything that is spawned meanwhile until `main` ends.
    ///
    /// # Panics
    /// When everybody waits and nobody for a time.
    pub(crate) fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut main = pin!(main);
        let mut others = FuturesUnordered::new();
        loop {
            while woken.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(ended) = main.as_mut().poll(&mut context) {
                    return ended;
                }
                loop {
                    let spawned = std::mem::take(&mut *self.0.spawned.lock().unwrap());
                    let is_news = !spawned.is_empty();
                    others.extend(spawned);
                    let ended =
                        matches!(others.poll_next_unpin(&mut context), Poll::Ready(Some(())));
                    if !ended && !is_news {
                        break;
                    }
                }
            }
            let next = self.0.time.lock().unwrap().leap();
            next.expect("everybody waits, and nobody for a time").wake();
        }
    }
}

impl Time {
    fn leap(&mut self) -> Option<Waker> {
        let ((at, _), waker) = self.sleepers.pop_first()?;
        self.now = self.now.max(at);
        Some(waker)
    }
}

impl Timer for World {
    fn elapsed(&self) -> Duration {
        self.0.time.lock().unwrap().now
    }

    fn sleep_until(&self, at: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep { world: self.clone(), at, place: None })
    }
}

struct Sleep {
    world: World,
    at: Duration,
    place: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut time = world.0.time.lock().unwrap();
        if time.now >= self.at {
            return Poll::Ready(());
        }
        time.slept += 1;
        let place = self.place.unwrap_or((self.at, time.slept));
        self.place = Some(place);
        time.sleepers.insert(place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.world.0.time.lock().unwrap().sleepers.remove(&place);
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
