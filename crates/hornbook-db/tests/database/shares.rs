//! Shares of an endpoint's limits: what all workers hold together never exceeds them.

use std::collections::BTreeMap;

use hornbook_db::shares::{self, Demand, Share, Use};
use hornbook_db::{Db, chunks, endpoints, jobs, keys, workers};
use hornbook_types::{
    Budget, EndpointKind, EndpointLimits, EndpointSpec, KeyQuota, LineQuota, Slug,
};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Map;
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{claim, slug, spec};

/// The limiter's window, in seconds.
const WINDOW: u64 = 60;

fn limits(in_flight: u32, requests: u32, tokens: u32) -> EndpointLimits {
    let some = |limit| (limit > 0).then_some(limit);
    EndpointLimits {
        in_flight: some(in_flight),
        requests_per_minute: some(requests),
        tokens_per_minute: some(tokens),
    }
}

async fn put(db: &Db, name: &str, limits: EndpointLimits) {
    let spec = EndpointSpec {
        kind: EndpointKind::Openai,
        preset: None,
        base_url: "http://127.0.0.1:9/v1".to_owned(),
        model: "m".to_owned(),
        limits,
        price: Default::default(),
        options: Map::new(),
    };
    endpoints::put(db, &slug(name), &spec, endpoints::Secret::Clear).await.unwrap();
}

/// A worker that obeys, as far as shares go.
#[derive(Clone, Debug)]
struct Mate {
    id: Uuid,
    name: String,
    held: Share,
    used: u32,
    quiet: bool,
    demand: Demand,
    need: u64,
}

impl Mate {
    fn new() -> Self {
        Self::named("")
    }

    fn named(name: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            name: name.to_owned(),
            held: Share::NONE,
            used: 0,
            quiet: false,
            demand: Demand::Busy,
            need: 0,
        }
    }

    fn word(&self, endpoint: &str) -> Use {
        Use {
            endpoint: slug(endpoint),
            demand: self.demand,
            quiet: self.quiet,
            need_tokens: self.need,
            used_in_flight: self.used,
            held: self.held,
        }
    }

    /// Leases and obeys.
    async fn beat(&mut self, db: &Db) -> Share {
        let granted = shares::lease(db, self.id, &self.name, &[self.word("mock")]).await.unwrap();
        let found: Option<&(Slug, Share)> = granted.first();
        self.held = found.map_or(Share::UNLIMITED, |(_, share)| *share);
        self.held
    }
}

fn share(in_flight: u32, requests: u32, tokens: u32) -> Share {
    Share {
        in_flight: Some(in_flight),
        requests_per_minute: Some(requests),
        tokens_per_minute: Some(tokens),
    }
}

/// Lets time pass for everything that shares depend on.
async fn pass(test: &TestDb, seconds: f64) {
    test.sql(&format!(
        "UPDATE endpoint_shares SET expires_at = expires_at - make_interval(secs => {seconds}),
                since = since - make_interval(secs => {seconds})"
    ))
    .await;
    test.sql(&format!(
        "UPDATE endpoint_cooling SET until = until - make_interval(secs => {seconds})"
    ))
    .await;
}

/// Lets so many heartbeats' time pass, with a heartbeat of each of them after each.
async fn live(test: &TestDb, beats: u32, mates: &mut [&mut Mate]) {
    for _ in 0..beats {
        pass(test, 5.0).await;
        for mate in &mut *mates {
            mate.beat(&test.db).await;
        }
    }
}

#[tokio::test]
async fn a_single_worker_has_everything_at_once() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(7, 600, 90_000)).await;
    let mut only = Mate::new();
    only.demand = Demand::Idle;
    assert_eq!(only.beat(&test.db).await, share(7, 600, 90_000));
    only.demand = Demand::Busy;
    assert_eq!(only.beat(&test.db).await, share(7, 600, 90_000));
}

#[tokio::test]
async fn an_absent_limit_is_not_divided() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(0, 100, 0)).await;
    put(&test.db, "free", limits(0, 0, 0)).await;
    let mate = Mate::new();
    let uses = [mate.word("free"), mate.word("gone"), mate.word("mock")];
    let granted = shares::lease(&test.db, mate.id, "", &uses).await.unwrap();
    let only_requests = Share { requests_per_minute: Some(100), ..Share::UNLIMITED };
    assert_eq!(granted, [(slug("mock"), only_requests)]);
}

#[tokio::test]
async fn equal_parts_and_what_is_left_over_goes_by_rank() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(8, 100, 1_000)).await;
    let mut mates = [Mate::new(), Mate::new(), Mate::new()];
    mates.sort_by_key(|mate| mate.id);
    // Nothing was sent yet, so nothing need cool: two rounds to shrink, one more to grow.
    for mate in &mut mates {
        mate.quiet = true;
    }
    for _ in 0..3 {
        for mate in &mut mates {
            mate.beat(&test.db).await;
        }
    }
    let held: Vec<Share> = mates.iter().map(|mate| mate.held).collect();
    assert_eq!(held, [share(3, 34, 334), share(3, 33, 333), share(2, 33, 333)]);
}

#[tokio::test]
async fn a_rate_that_was_used_cools_before_anybody_else_has_it() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(4, 600, 0)).await;
    let (mut first, mut second) = (Mate::new(), Mate::new());
    first.beat(&test.db).await;
    first.used = 4;
    assert_eq!(second.beat(&test.db).await.requests_per_minute, Some(0));
    // Nothing is given up before it is known that the newcomer takes nobody's place.
    live(&test, 2, &mut [&mut first, &mut second]).await;
    assert_eq!(first.held.requests_per_minute, Some(600));
    // Told to shrink; only the next beat shows that it has, and only then does the rate cool.
    live(&test, 1, &mut [&mut first, &mut second]).await;
    assert_eq!(first.held.requests_per_minute, Some(300));
    live(&test, 5, &mut [&mut first, &mut second]).await;
    assert!(!second.held.admits());
    live(&test, 7, &mut [&mut first, &mut second]).await;
    assert_eq!(
        second.held.requests_per_minute,
        Some(0),
        "55 seconds since it said so are no minute"
    );
    assert_eq!(second.held.in_flight, Some(0), "four are still under way");
    first.used = 2;
    live(&test, 2, &mut [&mut first, &mut second]).await;
    assert_eq!((second.held.in_flight, second.held.requests_per_minute), (Some(2), Some(300)));
}

/// Whoever is killed is replaced at once, as machines do: nobody knows yet that it is dead.
#[tokio::test]
async fn the_living_keep_their_parts_when_one_is_replaced() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(30, 600, 6_000)).await;
    let mut mates = [Mate::new(), Mate::new(), Mate::new()];
    for _ in 0..3 {
        for mate in &mut mates {
            mate.quiet = true;
            mate.beat(&test.db).await;
        }
    }
    let [mut one, mut other, mut doomed] = mates;
    for mate in [&mut one, &mut other, &mut doomed] {
        mate.quiet = false;
        mate.used = 10;
        assert_eq!(mate.held, share(10, 200, 2_000));
    }
    live(&test, 4, &mut [&mut one, &mut other, &mut doomed]).await;
    // One second after its last heartbeat.
    let mut heir = Mate::new();
    pass(&test, 1.0).await;
    heir.beat(&test.db).await;
    let mut got_at = None;
    for beat in 0..22 {
        live(&test, 1, &mut [&mut one, &mut other, &mut heir]).await;
        for mate in [&one, &other] {
            assert_eq!(mate.held, share(10, 200, 2_000), "beat {beat}");
        }
        if heir.held.requests_per_minute == Some(200) {
            got_at.get_or_insert(beat);
        }
    }
    // 30 seconds of lease and 60.5 of cooling.
    assert!(matches!(got_at, Some(17..=19)), "{got_at:?}");
    assert_eq!(heir.held, share(10, 200, 2_000));
}

#[tokio::test]
async fn who_is_late_keeps_what_it_has() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(8, 600, 0)).await;
    let (mut late, mut prompt) = (Mate::new(), Mate::new());
    for _ in 0..3 {
        for mate in [&mut late, &mut prompt] {
            mate.quiet = true;
            mate.beat(&test.db).await;
        }
    }
    for mate in [&mut late, &mut prompt] {
        mate.quiet = false;
        mate.used = 4;
    }
    live(&test, 4, &mut [&mut prompt]).await;
    assert_eq!(prompt.held.requests_per_minute, Some(300), "what the other has is not free");
    assert_eq!(late.beat(&test.db).await.requests_per_minute, Some(300));
}

#[tokio::test]
async fn the_dead_free_slots_with_their_lease_and_rates_a_minute_later() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(4, 600, 6_000)).await;
    let (mut dead, mut heir) = (Mate::new(), Mate::new());
    dead.beat(&test.db).await;
    dead.used = 4;
    pass(&test, 29.0).await;
    assert_eq!(heir.beat(&test.db).await, share(0, 0, 0));
    pass(&test, 2.0).await;
    let got = heir.beat(&test.db).await;
    assert_eq!(got, share(4, 0, 0));
    pass(&test, 25.0).await;
    heir.beat(&test.db).await;
    pass(&test, 25.0).await;
    assert_eq!(heir.beat(&test.db).await, share(4, 0, 0));
    pass(&test, 11.0).await;
    assert_eq!(heir.beat(&test.db).await, share(4, 600, 6_000));
}

#[tokio::test]
async fn a_successor_of_the_same_name_has_it_all_at_once() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(4, 600, 6_000)).await;
    for ends_in_order in [false, true] {
        let mut before = Mate::named("data-dir-0");
        workers::register(&test.db, before.id, &before.name).await.unwrap();
        assert_eq!(before.beat(&test.db).await, share(4, 600, 6_000), "after {ends_in_order}");
        before.used = 4;
        before.beat(&test.db).await;
        if ends_in_order {
            workers::deregister(&test.db, before.id).await.unwrap();
        }
        let mut stranger = Mate::new();
        stranger.demand = Demand::Idle;
        let got = stranger.beat(&test.db).await;
        assert_eq!((got.requests_per_minute, got.tokens_per_minute), (Some(0), Some(0)));
        workers::deregister(&test.db, stranger.id).await.unwrap();
    }
    let mut after = Mate::named("data-dir-0");
    workers::register(&test.db, after.id, &after.name).await.unwrap();
    assert_eq!(after.beat(&test.db).await, share(4, 600, 6_000));
    let cooling = "SELECT count(*) FROM endpoint_cooling";
    assert_eq!(test.number(cooling).await, 0, "it was taken over, not added");
}

#[tokio::test]
async fn who_has_nothing_to_send_leaves_it_to_the_others_unless_there_is_work() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(6, 0, 0)).await;
    let (mut idle, mut busy) = (Mate::new(), Mate::new());
    idle.demand = Demand::Idle;
    for _ in 0..3 {
        idle.beat(&test.db).await;
        busy.beat(&test.db).await;
    }
    assert_eq!((idle.held.in_flight, busy.held.in_flight), (Some(0), Some(6)));
    let id = Uuid::now_v7();
    let pinned = hornbook_types::PinnedJobSpec { endpoints: vec![slug("mock")], ..spec(4) };
    hornbook_db::jobs::submit(&test.db, id, &pinned).await.unwrap();
    for _ in 0..3 {
        idle.beat(&test.db).await;
        busy.beat(&test.db).await;
    }
    assert_eq!((idle.held.in_flight, busy.held.in_flight), (Some(3), Some(3)));
    // A job for another endpoint is nothing to it, and neither is one that is leased to its end.
    assert!(claim(&test.db, idle.id, 4).await.is_none());
    let mock = ["mock".to_owned()];
    hornbook_db::chunks::claim(&test.db, busy.id, &mock, 4).await.unwrap().unwrap();
    for _ in 0..3 {
        idle.beat(&test.db).await;
        busy.beat(&test.db).await;
    }
    assert_eq!((idle.held.in_flight, busy.held.in_flight), (Some(0), Some(6)));
}

#[tokio::test]
async fn who_could_claim_nothing_has_no_use_for_a_share() {
    let test = TestDb::new().await;
    let db = &test.db;
    put(db, "mock", limits(6, 0, 0)).await;
    let mock = ["mock".to_owned()];
    let pinned = hornbook_types::PinnedJobSpec { endpoints: vec![slug("mock")], ..spec(12) };
    let mut wanting = pinned.clone();
    wanting.lines[0].quota = Some(LineQuota { accepted: 4, weight: 1_000_000 });
    keys::create(db, "poor", "", &[1; 32], &[], &KeyQuota::default()).await.unwrap();
    let budget = Budget { tokens: Some(10), ..Budget::default() };
    let (mut idle, mut busy) = (Mate::new(), Mate::new());
    idle.demand = Demand::Idle;
    for why in
        ["as many are under way as should do", "its budget is spent", "its key's tokens are spent"]
    {
        let id = Uuid::now_v7();
        match why {
            "its budget is spent" => {
                jobs::submit_within(db, id, &pinned, &budget, None).await.unwrap()
            }
            "its key's tokens are spent" => {
                jobs::submit_as(db, id, &pinned, Some("poor")).await.unwrap();
            }
            _ => jobs::submit(db, id, &wanting).await.unwrap(),
        }
        for _ in 0..3 {
            idle.beat(db).await;
            busy.beat(db).await;
        }
        assert_eq!((idle.held.in_flight, busy.held.in_flight), (Some(3), Some(3)), "before {why}");
        chunks::claim(db, busy.id, &mock, 4).await.unwrap().unwrap();
        test.sql("UPDATE job_chunks SET prompt_tokens = 10").await;
        test.sql("UPDATE api_keys SET quota_tokens_per_day = 10").await;
        for _ in 0..3 {
            idle.beat(db).await;
            busy.beat(db).await;
        }
        assert_eq!((idle.held.in_flight, busy.held.in_flight), (Some(0), Some(6)), "{why}");
        assert!(chunks::claim(db, idle.id, &mock, 4).await.unwrap().is_none(), "{why}");
        test.sql("UPDATE jobs SET state = 'cancelled'").await;
    }
}

#[tokio::test]
async fn a_share_in_which_no_request_fits_is_given_to_nobody() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(30, 600, 5_000)).await;
    let mut mates = [Mate::new(), Mate::new(), Mate::new()];
    mates.sort_by_key(|mate| mate.id);
    for mate in &mut mates {
        mate.quiet = true;
        mate.need = 2_000;
    }
    for _ in 0..3 {
        for mate in &mut mates {
            mate.beat(&test.db).await;
        }
    }
    let held: Vec<Share> = mates.iter().map(|mate| mate.held).collect();
    assert_eq!(held, [share(15, 300, 2_500), share(15, 300, 2_500), share(0, 0, 0)]);
}

#[tokio::test]
async fn who_leaves_frees_its_slots_as_they_empty() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(4, 0, 0)).await;
    let (mut leaver, mut stayer) = (Mate::new(), Mate::new());
    leaver.beat(&test.db).await;
    leaver.used = 3;
    leaver.demand = Demand::Leaving;
    leaver.beat(&test.db).await;
    leaver.beat(&test.db).await;
    assert_eq!(stayer.beat(&test.db).await.in_flight, Some(1));
    leaver.used = 0;
    leaver.beat(&test.db).await;
    assert_eq!(stayer.beat(&test.db).await.in_flight, Some(4));
    assert_eq!(test.number("SELECT count(*) FROM endpoint_shares").await, 1);
}

#[tokio::test]
async fn a_lower_limit_is_obeyed_without_a_pause() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(10, 600, 0)).await;
    let mut mates = [Mate::new(), Mate::new()];
    for mate in &mut mates {
        mate.quiet = true;
    }
    for _ in 0..3 {
        for mate in &mut mates {
            mate.beat(&test.db).await;
        }
    }
    for mate in &mut mates {
        mate.quiet = false;
        assert_eq!(mate.held.requests_per_minute, Some(300));
    }
    put(&test.db, "mock", limits(4, 100, 0)).await;
    for mate in &mut mates {
        let now = mate.beat(&test.db).await;
        assert_eq!((now.in_flight, now.requests_per_minute), (Some(2), Some(50)));
    }
}

/// One simulated process: what it may really be sending, whatever the table says.
struct Process {
    mate: Mate,
    alive: bool,
    /// Seconds of the simulation at which it stops by its own clock.
    until: f64,
    /// (from, to, requests a minute, tokens a minute) that its limiter ran at.
    course: Vec<(f64, f64, u32, u32)>,
}

impl Process {
    fn new(name: &str) -> Self {
        Self { mate: Mate::named(name), alive: true, until: 0.0, course: Vec::new() }
    }

    /// Notes the rates of the stretch of time that just passed.
    fn live(&mut self, from: f64, to: f64) {
        let end = to.min(self.until);
        if self.alive && end > from {
            let (requests, tokens) =
                (self.mate.held.requests_per_minute, self.mate.held.tokens_per_minute);
            self.course.push((from, end, requests.unwrap_or(0), tokens.unwrap_or(0)));
        }
        if to >= self.until {
            self.mate.held = Share::NONE;
            // What it had under way then is the one thing that is not kept account of.
            self.mate.used = 0;
        }
    }

    /// The highest rates that still count at `now`.
    fn counting(&self, now: f64) -> (u64, u64) {
        let since = now - WINDOW as f64;
        let counts = |stretch: &&(f64, f64, u32, u32)| stretch.1 > since;
        let most = |rate: fn(&(f64, f64, u32, u32)) -> u32| {
            self.course.iter().filter(counts).map(rate).max().unwrap_or(0)
        };
        (u64::from(most(|stretch| stretch.2)), u64::from(most(|stretch| stretch.3)))
    }
}

/// Six workers lease, stall, crash, come back and change their minds; after each step the sum of
/// what they may be sending is within the limits. The model knows only what workers were told.
async fn shares_hold(seed: u64) {
    let test = TestDb::new().await;
    let mut random = StdRng::seed_from_u64(seed);
    let limit = [
        random.random_range(1..40_u32),
        random.random_range(1..700_u32),
        random.random_range(1_000..50_000_u32),
    ];
    put(&test.db, "mock", limits(limit[0], limit[1], limit[2])).await;
    // Two have names; a successor's course goes on where its predecessor's ended.
    let mut processes: Vec<Process> =
        ["a", "b", "", "", "", ""].into_iter().map(Process::new).collect();
    let mut gone: Vec<Process> = Vec::new();
    let mut now = 0.0;
    for step in 0..150 {
        let chosen = random.random_range(0..processes.len());
        match random.random_range(0..100) {
            0..55 => {
                let one = &mut processes[chosen];
                one.mate.demand =
                    *[Demand::Busy, Demand::Busy, Demand::Idle].get(step % 3).unwrap();
                one.mate.quiet = one.counting(now) == (0, 0);
                let asked_at = now;
                one.mate.beat(&test.db).await;
                one.until = asked_at + 28.0;
                let held = one.mate.held.in_flight.unwrap_or(0);
                // What is in flight ends at any time, and new ones start up to the share.
                let floor = random.random_range(0..=one.mate.used.max(held));
                one.mate.used = floor;
            }
            // The reply is lost: the database thinks it told something.
            55..62 => {
                let one = &processes[chosen].mate;
                shares::lease(&test.db, one.id, &one.name, &[one.word("mock")]).await.unwrap();
            }
            // Killed, and another process starts in its place.
            62..68 => {
                let name = processes[chosen].mate.name.clone();
                let mut next = Process::new(&name);
                let mut old = std::mem::replace(&mut processes[chosen], Process::new(""));
                old.alive = false;
                workers::register(&test.db, next.mate.id, &name).await.unwrap();
                if name.is_empty() {
                    gone.push(old);
                } else {
                    next.course = old.course;
                }
                processes[chosen] = next;
            }
            // Ends in good order.
            68..72 => {
                let name = processes[chosen].mate.name.clone();
                let mut next = Process::new(&name);
                let old = std::mem::replace(&mut processes[chosen], Process::new(""));
                workers::deregister(&test.db, old.mate.id).await.unwrap();
                if name.is_empty() {
                    gone.push(old);
                } else {
                    next.course = old.course;
                }
                processes[chosen] = next;
            }
            _ => {
                let seconds = random.random_range(1..160) as f64 / 8.0;
                for one in &mut processes {
                    one.live(now, now + seconds);
                }
                pass(&test, seconds).await;
                now += seconds;
            }
        }
        // Whatever it was told may be used from this very moment.
        for one in &mut processes {
            one.live(now, now + 1e-6);
        }
        let counting: Vec<(u64, u64)> =
            processes.iter().chain(&gone).map(|one| one.counting(now)).collect();
        let sums = counting.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert!(
            sums.0 <= u64::from(limit[1]) && sums.1 <= u64::from(limit[2]),
            "seed {seed}, step {step}: {counting:?} of {limit:?}"
        );
        let may_have = |one: &Process| one.mate.used.max(one.mate.held.in_flight.unwrap_or(0));
        let in_flight: u32 = processes.iter().map(may_have).sum();
        assert!(
            in_flight <= limit[0],
            "seed {seed}, step {step}: {in_flight} in flight of {limit:?}"
        );
    }
}

#[tokio::test]
async fn whatever_happens_the_limits_hold() {
    for seed in 0..6 {
        shares_hold(seed).await;
    }
}

#[tokio::test]
async fn workers_that_lease_at_the_same_time_do_not_both_get_it() {
    let test = TestDb::new().await;
    put(&test.db, "mock", limits(8, 800, 0)).await;
    put(&test.db, "other", limits(5, 0, 0)).await;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let db = test.db.clone();
            tokio::spawn(async move {
                let mate = Mate::new();
                // In both orders: the locks are taken in one.
                let uses = [mate.word("other"), mate.word("mock")];
                let granted = shares::lease(&db, mate.id, "", &uses).await.unwrap();
                granted.into_iter().collect::<BTreeMap<Slug, Share>>()
            })
        })
        .collect();
    let mut sums = [0, 0, 0];
    for task in tasks {
        let granted = task.await.unwrap();
        sums[0] += granted[&slug("mock")].in_flight.unwrap();
        sums[1] += granted[&slug("mock")].requests_per_minute.unwrap();
        sums[2] += granted[&slug("other")].in_flight.unwrap();
    }
    assert_eq!(sums, [8, 800, 5]);
}
