//! Endpoints of very different speed at one job, each taking its prompts as the worker's loops do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hornbook_inference::{Backend, ErrorClass, Timer as _, estimate};
use hornbook_types::EndpointLimits;

use crate::far::{Asked, Far, Fate, Nature, asked};
use crate::world::World;

/// Most tokens of an answer.
const MAX_TOKENS: u32 = 400;
/// Tokens of a prompt.
const PROMPT_TOKENS: usize = 100;

/// Who ended a prompt, and how.
type End = (&'static str, Result<(), &'static str>);

/// The prompts of a job, and what became of them.
struct Job {
    waiting: Mutex<VecDeque<u64>>,
    ended: Mutex<BTreeMap<u64, End>>,
}

impl Job {
    fn of(prompts: u64) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new((0..prompts).collect()), ended: Mutex::default() })
    }

    fn end(&self, seq: u64, endpoint: &'static str, how: Result<(), &'static str>) {
        let before = self.ended.lock().unwrap().insert(seq, (endpoint, how));
        assert_eq!(before, None, "{seq} ended twice");
    }

    fn ended(&self) -> usize {
        self.ended.lock().unwrap().len()
    }
}

/// Leave first, then a prompt, as long as the world goes on.
async fn pull(world: World, job: Arc<Job>, name: &'static str, endpoint: Arc<Asked>) {
    let limiter = endpoint.limiter().unwrap();
    loop {
        let admission = limiter.admit(estimate(PROMPT_TOKENS * 4, MAX_TOKENS)).await;
        let Some(seq) = job.waiting.lock().unwrap().pop_front() else {
            admission.give_back();
            world.sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (job, endpoint) = (Arc::clone(&job), Arc::clone(&endpoint));
        world.spawn(async move {
            let request = asked(seq, PROMPT_TOKENS, MAX_TOKENS);
            match endpoint.complete_admitted(request, admission).await {
                Ok(_) => job.end(seq, name, Ok(())),
                // There are other endpoints, even for one whose attempts are used up.
                Err(error)
                    if matches!(error.class, ErrorClass::Unavailable | ErrorClass::Transient) =>
                {
                    job.waiting.lock().unwrap().push_front(seq);
                }
                Err(error) => job.end(seq, name, Err(error.code)),
            }
        });
    }
}

/// What endpoints did for one job.
struct Done {
    seconds: f64,
    prompts: BTreeMap<&'static str, u64>,
    far: BTreeMap<&'static str, Arc<Far>>,
}

impl Done {
    /// Requests a second from the second second to the sixth.
    fn rate(&self, name: &str) -> f64 {
        let within = |at: Duration| (1..6).contains(&at.as_secs());
        self.far[name].arrivals().iter().filter(|arrival| within(arrival.at)).count() as f64 / 5.0
    }
}

fn share(prompts: u64, endpoints: Vec<(&'static str, Option<u32>, Nature)>) -> Done {
    let world = World::default();
    let job = Job::of(prompts);
    let mut far = BTreeMap::new();
    for (name, in_flight, nature) in endpoints {
        let one = Far::new(&world, nature);
        let limits = EndpointLimits { in_flight, ..EndpointLimits::default() };
        world.spawn(pull(world.clone(), Arc::clone(&job), name, one.behind(&limits)));
        far.insert(name, one);
    }
    world.run(async {
        while job.ended() < prompts as usize {
            world.sleep(Duration::from_millis(50)).await;
        }
    });
    let mut done = BTreeMap::new();
    for (seq, (name, how)) in &*job.ended.lock().unwrap() {
        assert_eq!(*how, Ok(()), "{seq} at {name}");
        *done.entry(*name).or_default() += 1;
    }
    Done { seconds: world.elapsed().as_secs_f64(), prompts: done, far }
}

fn after(millis: u64) -> Nature {
    Box::new(move |_| (Duration::from_millis(millis), Fate::Answered(50)))
}

/// The same for every request, at once.
fn always(fate: Fate) -> Nature {
    Box::new(move |_| (Duration::from_millis(1), fate))
}

fn dead() -> Nature {
    always(Fate::Fails("connect"))
}

/// Says 429 to what it has no slot for.
fn throttling(slots: usize, millis: u64) -> Nature {
    Box::new(move |moment| match moment.under_way > slots {
        true => (Duration::from_millis(2), Fate::Throttled { retry_after: None }),
        false => (Duration::from_millis(millis), Fate::Answered(50)),
    })
}

#[test]
fn a_slow_a_dead_a_throttling_and_a_healthy_endpoint_share_by_speed() {
    let alone = share(6_000, vec![("healthy", Some(32), after(50))]);
    let usual = alone.rate("healthy");
    assert!((600.0..=640.0).contains(&usual), "{usual}");

    let company = share(
        12_000,
        vec![
            ("healthy", Some(32), after(50)),
            ("slow", Some(32), after(500)),
            ("throttling", None, throttling(8, 50)),
            ("dead", Some(32), dead()),
        ],
    );
    let [healthy, slow, throttled] =
        ["healthy", "slow", "throttling"].map(|name| company.rate(name));
    println!("alone {usual}/s; in company {healthy}/s, slow {slow}/s, throttling {throttled}/s");
    println!("{:?} in {:.1} s", company.prompts, company.seconds);
    assert!(healthy >= 0.99 * usual, "{healthy} in company, {usual} alone");
    // As many at once, ten times as long.
    assert!((0.09..=0.11).contains(&(slow / healthy)), "{slow} {healthy}");
    // Eight at once are 160 a second: it is kept busy, and has little to say no to.
    let by_throttling = company.prompts["throttling"] as f64 / company.seconds;
    assert!(by_throttling >= 0.7 * 160.0, "{by_throttling}");
    let asked = company.far["throttling"].arrivals();
    let refused = asked.iter().filter(|arrival| arrival.used == 0).count();
    assert!(refused * 20 <= asked.len(), "{refused} of {}", asked.len());
    // Nobody answered there: what was sent at once, and now and then a probe.
    assert_eq!(company.prompts.get("dead"), None);
    let asked = company.far["dead"].arrivals().len() as f64;
    assert!(asked <= 32.0 + company.seconds, "{asked} requests in {} s", company.seconds);
    // Nothing waits for the slowest but its own last prompts.
    let ideal = 12_000.0 / (healthy + slow + by_throttling);
    assert!(company.seconds <= ideal + 2.0, "{} of {ideal} s", company.seconds);
}

#[test]
fn endpoints_that_answer_nothing_keep_no_prompt_and_cost_few_requests() {
    for (name, fate) in [
        ("unreachable", Fate::Fails("dns")),
        ("broken", Fate::Fails("http_502")),
        ("refusing", Fate::Throttled { retry_after: None }),
        ("refusing politely", Fate::Throttled { retry_after: Some(Duration::from_secs(1)) }),
    ] {
        for in_flight in [None, Some(64)] {
            let healthy = ("healthy", Some(32), after(50));
            let done = share(12_000, vec![healthy, (name, in_flight, always(fate))]);
            let asked = done.far[name].arrivals().len();
            println!("{name} {in_flight:?}: {asked} requests, {:.1} s", done.seconds);
            assert_eq!(done.prompts["healthy"], 12_000, "{name}");
            // 12,000 at 640 a second; where something answers, a prompt that went there to see
            // whether it is up again has its attempts, because it might be what is at fault.
            let probing = if name == "broken" { 75.0 } else { 4.0 };
            assert!(done.seconds <= 18.75 + probing, "{name}: {} s", done.seconds);
            assert!(asked <= 128 + 40, "{name}: {asked} requests in {} s", done.seconds);
        }
    }
}

#[test]
fn an_endpoint_that_comes_back_takes_its_share_again() {
    let world = World::default();
    let clock = world.clone();
    // Up to the tenth second, nobody is there.
    let reviving: Nature = Box::new(move |_| match clock.elapsed().as_secs() < 10 {
        true => (Duration::from_millis(1), Fate::Fails("connect")),
        false => (Duration::from_millis(50), Fate::Answered(50)),
    });
    let far = Far::new(&world, reviving);
    let endpoint = far.behind(&EndpointLimits { in_flight: Some(32), ..EndpointLimits::default() });
    let job = Job::of(6_000);
    world.spawn(pull(world.clone(), Arc::clone(&job), "reviving", endpoint));
    world.run(async {
        while job.ended() < 6_000 {
            world.sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(job.ended.lock().unwrap().values().all(|(_, how)| how.is_ok()));
    // Found within a probe's pause (at most 8 s by then, and a quarter), and at full speed soon after:
    // from 4 at once to 32 in a few round trips.
    let arrivals = far.arrivals();
    let first = arrivals.iter().find(|arrival| arrival.used > 0).unwrap().at;
    assert!(first <= Duration::from_secs(20), "{first:?}");
    let second = |from: u64| {
        let begin = first + Duration::from_secs(from);
        let within = begin..begin + Duration::from_secs(1);
        arrivals.iter().filter(|arrival| within.contains(&arrival.at)).count()
    };
    assert!(second(1) >= 600, "{} in the second second", second(1));
    let at_first =
        arrivals.iter().filter(|a| (first..first + Duration::from_millis(50)).contains(&a.at));
    assert!(at_first.count() <= 8, "it is asked for little at first");
}
