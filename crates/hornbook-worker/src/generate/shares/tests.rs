//! What a worker does with shares, at times that the test decides.

use std::time::Duration;

use futures_util::future::BoxFuture;
use hornbook_inference::limiter::Limiter;
use hornbook_inference::{Ambient, Backend, Completion, CompletionError, CompletionRequest, Timer};
use hornbook_types::{EndpointPrice, SystemClock};

use super::*;

const LIMITS: EndpointLimits =
    EndpointLimits { in_flight: Some(8), requests_per_minute: Some(600), tokens_per_minute: None };

/// A clock that goes on when it is told to.
struct Wound {
    start: Instant,
    now: Mutex<Instant>,
}

impl Timer for Wound {
    fn elapsed(&self) -> Duration {
        self.now.lock().unwrap().duration_since(self.start)
    }

    fn sleep_until(&self, _at: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Answers nothing; it is there for its limiter.
struct Mute(Option<Arc<Limiter>>);

impl Backend for Mute {
    fn complete(
        &self,
        _request: CompletionRequest,
    ) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(std::future::pending())
    }

    fn slots(&self) -> usize {
        8
    }

    fn model(&self) -> &str {
        "m"
    }

    fn limiter(&self) -> Option<Arc<Limiter>> {
        self.0.clone()
    }
}

fn name() -> Slug {
    "mock".parse().unwrap()
}

fn share(in_flight: u32, requests: u32) -> Share {
    Share {
        in_flight: Some(in_flight),
        requests_per_minute: Some(requests),
        tokens_per_minute: None,
    }
}

/// A worker's shares without a worker.
struct Bench {
    state: State,
    clock: Arc<Wound>,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            state: State::default(),
            clock: Arc::new(Wound { start: now, now: Mutex::new(now) }),
        }
    }

    fn now(&self) -> Instant {
        *self.clock.now.lock().unwrap()
    }

    fn wait(&self, seconds: u64) {
        *self.clock.now.lock().unwrap() += Duration::from_secs(seconds);
    }

    fn limiter(&self) -> Arc<Limiter> {
        Limiter::new(&LIMITS, Ambient::new(Arc::new(SystemClock), self.clock.clone(), 1))
    }

    /// A loop begins behind `limiter`.
    fn enter(&mut self, limiter: &Arc<Limiter>) -> Arc<Live> {
        let backend = Arc::new(Mute(Some(Arc::clone(limiter))));
        let live = Arc::new(Live::new(name(), false, EndpointPrice::default(), backend));
        self.state.enter(&live, &LIMITS, self.now());
        live
    }

    fn leave(&mut self) {
        self.state.entries.get_mut(&name()).unwrap().leave();
    }

    fn word(&mut self) -> Option<Use> {
        self.state.uses(|_| None, self.now()).pop()
    }

    /// What a renewal does but for the database, which gives `share`; true when some got smaller.
    fn renew(&mut self, share: Share) -> bool {
        let now = self.now();
        let uses = self.state.uses(|_| None, now);
        let granted = BTreeMap::from([(name(), share)]);
        self.state.obey(&uses, &granted, now + SHARE_VALID, now)
    }

    fn admits(&self) -> bool {
        self.state.admits(&name(), self.now())
    }
}

/// Waits for a task that has all that it needs.
async fn ended(task: tokio::task::JoinHandle<()>) {
    tokio::time::timeout(Duration::from_secs(10), task).await.expect("it goes on").unwrap();
}

/// Lets tasks go as far as they can.
async fn settle_down() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// True when a request may leave at this moment.
async fn goes(limiter: &Arc<Limiter>) -> bool {
    let soon = Duration::from_millis(20);
    match tokio::time::timeout(soon, limiter.admit(1)).await {
        Ok(admission) => {
            admission.give_back();
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_share_and_after_the_last() {
    let mut bench = Bench::new();
    let limiter = bench.limiter();
    assert_eq!(limiter.window(), 8);
    let _live = bench.enter(&limiter);
    assert_eq!((limiter.window(), bench.admits()), (0, false));
    assert!(!bench.renew(share(4, 300)));
    assert_eq!((limiter.window(), bench.admits()), (4, true));
    bench.wait(SHARE_VALID.as_secs() - 1);
    bench.state.lapse(bench.now());
    assert!(bench.admits() && goes(&limiter).await);
    bench.wait(1);
    // By the clock alone, before anything had a turn to notice.
    assert!(!bench.admits() && !goes(&limiter).await);
    bench.state.lapse(bench.now());
    assert_eq!((limiter.window(), bench.word().unwrap().held), (0, Share::NONE));
    // The window is as it was when there is a share again.
    bench.renew(share(4, 300));
    bench.wait(1);
    assert_eq!((limiter.window(), bench.admits()), (4, true));
    assert!(goes(&limiter).await);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_gives_nothing() {
    let mut bench = Bench::new();
    let limiter = bench.limiter();
    let _live = bench.enter(&limiter);
    let asked_at = bench.now();
    let uses = bench.state.uses(|_| None, asked_at);
    bench.wait(SHARE_VALID.as_secs());
    let granted = BTreeMap::from([(name(), share(4, 300))]);
    bench.state.obey(&uses, &granted, asked_at + SHARE_VALID, bench.now());
    assert_eq!((limiter.window(), bench.admits()), (0, false));
}

#[tokio::test]
async fn what_shrinks_is_said_and_a_part_of_zero_is_no_share() {
    let mut bench = Bench::new();
    let limiter = bench.limiter();
    let _live = bench.enter(&limiter);
    bench.renew(share(8, 600));
    assert!(bench.renew(share(8, 300)));
    assert!(!bench.renew(share(8, 300)));
    assert!(bench.renew(share(8, 0)));
    assert_eq!((limiter.window(), bench.admits()), (0, false));
    let word = bench.word().unwrap();
    assert_eq!((word.held, word.demand, word.quiet), (share(8, 0), Demand::Idle, true));
}

#[tokio::test]
async fn requests_of_an_earlier_configuration_end_within_the_share() {
    let mut bench = Bench::new();
    let (before, after) = (bench.limiter(), bench.limiter());
    let first = bench.enter(&before);
    bench.renew(share(8, 600));
    bench.wait(1);
    let mut under_way = Vec::new();
    for _ in 0..2 {
        under_way.push(before.admit(1).await);
        bench.wait(1);
    }
    let second = bench.enter(&after);
    bench.renew(share(8, 600));
    assert_eq!((before.window(), after.window()), (2, 6));
    assert_eq!(bench.word().unwrap().used_in_flight, 2);
    drop(under_way);
    drop(first);
    bench.renew(share(8, 600));
    assert_eq!(after.window(), 8);
    bench.leave();
    drop(second);
    let word = bench.word().unwrap();
    // The account of what was sent in the last minute is gone with its limiter.
    assert_eq!((word.demand, word.quiet), (Demand::Leaving, false));
    bench.renew(Share::NONE);
    assert!(bench.word().is_none(), "told once, and forgotten");
}

#[tokio::test]
async fn an_endpoint_that_comes_back_as_it_was_has_its_whole_share() {
    let mut bench = Bench::new();
    let limiter = bench.limiter();
    let first = bench.enter(&limiter);
    bench.renew(share(8, 600));
    bench.wait(1);
    let under_way = limiter.admit(1).await;
    bench.leave();
    bench.renew(share(8, 600));
    assert_eq!(limiter.window(), 8, "it may end what it has under way");
    assert_eq!(bench.word().unwrap().demand, Demand::Busy);
    let again = bench.enter(&limiter);
    assert_eq!(limiter.window(), 8);
    drop((under_way, first));
    bench.leave();
    drop(again);
    assert_eq!(bench.word().unwrap().demand, Demand::Leaving);
}

#[test]
fn a_backend_that_limits_nothing_is_not_shared() {
    let mut bench = Bench::new();
    let live = Arc::new(Live::new(name(), false, EndpointPrice::default(), Arc::new(Mute(None))));
    bench.state.enter(&live, &LIMITS, bench.now());
    assert_eq!((live.limiter.window(), bench.admits()), (8, true));
    assert!(bench.word().is_none());
}

#[tokio::test]
async fn the_largest_prompt_seen_is_what_a_share_must_hold() {
    let mut bench = Bench::new();
    let limits = EndpointLimits { tokens_per_minute: Some(9_000), ..LIMITS };
    let limiter =
        Limiter::new(&limits, Ambient::new(Arc::new(SystemClock), bench.clock.clone(), 1));
    let backend = Arc::new(Mute(Some(Arc::clone(&limiter))));
    let live = Arc::new(Live::new(name(), false, EndpointPrice::default(), backend));
    bench.state.enter(&live, &limits, bench.now());
    let need = |bench: &mut Bench, answer: Option<u64>| {
        bench.state.uses(|_| answer, bench.now()).pop().unwrap().need_tokens
    };
    assert_eq!(need(&mut bench, Some(400)), 1_400, "a guess, before any prompt was seen");
    let part = |tokens| Share { tokens_per_minute: Some(tokens), ..share(4, 300) };
    bench.renew(part(3_000));
    assert!(!bench.state.entries[&name()].lacks_share());
    bench.state.saw(&name(), 5_000);
    bench.state.saw(&name(), 600);
    assert_eq!(need(&mut bench, Some(400)), 5_000);
    assert_eq!(need(&mut bench, Some(8_000)), 8_000, "another job asks for longer answers");
    assert!(bench.state.entries[&name()].lacks_share(), "the database is to hear of it soon");
    bench.renew(part(5_000));
    bench.state.saw(&name(), 5_000);
    assert!(!bench.state.entries[&name()].lacks_share());
    // More than all workers together may use counts as all of that.
    bench.state.saw(&name(), 50_000);
    bench.renew(part(9_000));
    bench.state.saw(&name(), 50_000);
    assert!(!bench.state.entries[&name()].lacks_share());
    assert_eq!((need(&mut bench, None), need(&mut bench, Some(400))), (0, 1_400));
}

#[tokio::test]
async fn what_earlier_configurations_send_again_fits_one_after_the_other() {
    let mut bench = Bench::new();
    let limits = EndpointLimits { tokens_per_minute: Some(9_000), ..LIMITS };
    let limiter = |bench: &Bench| {
        Limiter::new(&limits, Ambient::new(Arc::new(SystemClock), bench.clock.clone(), 1))
    };
    let (first, second, newest) = (limiter(&bench), limiter(&bench), limiter(&bench));
    let part = Share { tokens_per_minute: Some(3_000), ..share(8, 600) };
    let mut former = Vec::new();
    for limiter in [&first, &second] {
        former.push(bench.enter(limiter));
        bench.renew(part);
    }
    let live = bench.enter(&newest);
    bench.state.saw(&name(), 2_500);
    let again = [&first, &second].map(|limiter| {
        let limiter = Arc::clone(limiter);
        tokio::spawn(async move { limiter.admit(2_500).await.settle(2_500) })
    });
    settle_down().await;
    // A part that grows starts with an empty bucket.
    for _ in 0..2 {
        bench.wait(1);
        bench.renew(part);
    }
    let [one, other] = again;
    ended(one).await;
    settle_down().await;
    assert!(!other.is_finished());
    // The first has nothing left to send; the window of its rate is over.
    drop(former.remove(0));
    for seconds in [61, 1] {
        bench.wait(seconds);
        bench.renew(part);
    }
    ended(other).await;
    drop((former, live));
}
