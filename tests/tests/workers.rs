//! Several `hornbook worker` processes on one database: they share prompts and an endpoint's limits,
//! take over, and leave in order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment::full;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use hornbook_tests::worker::WorkerProcess;
use serde_json::{Value, json};
use uuid::Uuid;

/// Longest time for what needs no lease to run out.
const WITHIN: Duration = Duration::from_secs(60);
/// A lease (30 s), and time to do what its owner left.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(75);
/// More prompts than anybody waits for.
const ENDLESS: u64 = 10_000_000;
/// Requests under way at once, for all workers together.
const IN_FLIGHT: u32 = 9;

/// A service that leaves the work to others, and the configuration that lets them reach a mock.
struct House {
    database: TestDatabase,
    service: Service,
    mock: MockEndpoint,
    config: tempfile::NamedTempFile,
}

impl House {
    async fn open(latency: Duration) -> Self {
        Self::with_limits(latency, &json!({ "in_flight": IN_FLIGHT })).await
    }

    async fn with_limits(latency: Duration, limits: &Value) -> Self {
        Self::with_mock(MockConfig::after(latency), limits).await
    }

    async fn with_mock(config: MockConfig, limits: &Value) -> Self {
        let database = TestDatabase::create().await;
        let mock = MockEndpoint::start(config).await;
        let service = Service::start_with(Options {
            database_url: Some(database.url.clone()),
            arguments: ["--no-local-engine", "--workers", "0"].map(str::to_owned).to_vec(),
            ..Options::default()
        })
        .await;
        let config = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(config.path(), "allowed_networks = [\"127.0.0.0/8\"]\n").expect("writing");
        let house = Self { database, service, mock, config };
        house.limit(limits).await;
        house
    }

    /// Points the endpoint at the mock with these limits.
    async fn limit(&self, limits: &Value) {
        let endpoint = json!({
            "kind": "openai", "base_url": self.mock.base_url(), "model": "mock", "limits": limits,
        });
        let (status, answer) = self.service.put("/v1/endpoints/mock", &endpoint).await;
        assert!(matches!(status, 200 | 201), "{answer}");
    }

    async fn hire(&self) -> WorkerProcess {
        let config = self.config.path().display().to_string();
        let data_dir = self.service.data_dir();
        WorkerProcess::start(&self.database.url, data_dir, &["--config", &config]).await
    }

    /// Owners of the leases held at this moment.
    async fn owners(&self) -> BTreeSet<Uuid> {
        let mut connection = self.database.connect().await;
        sqlx::query_scalar("SELECT lease_owner FROM job_chunks WHERE state = 'leased'")
            .fetch_all(&mut connection)
            .await
            .expect("reading leases")
            .into_iter()
            .collect()
    }

    /// Waits until this many workers hold leases.
    async fn until_shared_by(&self, workers: usize) {
        let deadline = tokio::time::Instant::now() + WITHIN;
        loop {
            let owners = self.owners().await;
            if owners.len() == workers {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "leases are held by {owners:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every one of so many workers has a share of the endpoint.
    async fn until_divided_among(&self, workers: i64) {
        let shares =
            "SELECT count(*) FROM endpoint_shares AS s JOIN endpoints AS e ON e.id = s.endpoint_id
                       WHERE (e.limits ->> 'in_flight' IS NULL OR s.in_flight > 0)
                         AND (e.limits ->> 'requests_per_minute' IS NULL OR s.requests > 0)
                         AND (e.limits ->> 'tokens_per_minute' IS NULL OR s.tokens > 0)
                         AND s.expires_at > now()";
        let deadline = tokio::time::Instant::now() + WITHIN;
        loop {
            let mut connection = self.database.connect().await;
            let found: i64 =
                sqlx::query_scalar(shares).fetch_one(&mut connection).await.expect("counting");
            if found == workers {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{found} workers have a share");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// In any stretch of time no more requests came than the even pace, one of each worker on top;
    /// and in a minute no more than the limit.
    fn assert_pace(&self, per_minute: u64, workers: u64) {
        for window in [5, 10, 20] {
            let most = per_minute * window / 60 + workers;
            let held = self.mock.fullest(Duration::from_secs(window)) as u64;
            assert!(held <= most, "{held} in {window} s");
        }
        let minute = self.mock.fullest(Duration::from_secs(60)) as u64;
        assert!(minute <= per_minute, "{minute} in a minute");
    }

    async fn cancel(&self, job: &str) {
        let (status, answer) =
            self.service.post(&format!("/v1/jobs/{job}/cancel"), &Value::Null).await;
        assert!(status < 300, "{answer}");
    }

    /// A job that ended well has every seq once.
    async fn assert_complete(&self, job: &str, prompts: u64) {
        let seqs = self.service.seqs(job).await;
        assert_eq!(seqs, (0..prompts).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_share_a_job_and_one_leaves_in_order() {
    let house = House::open(Duration::from_millis(400)).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(house.hire().await);
    }
    let prompts = 150;
    house.until_divided_among(3).await;
    let job = house.service.submit(&small_job("mock", prompts)).await;
    house.until_shared_by(3).await;
    let mut leaving = workers.pop().expect("a worker");
    assert_eq!(leaving.stop().await, Some(0));
    assert_eq!(house.owners().await.len(), 2, "what it had not sent is handed back");
    let ended = house.service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], prompts);
    house.assert_complete(&job, prompts).await;
    // No overlap, and what was in flight at the stop was finished: nothing was asked twice.
    assert_eq!(house.mock.requests() as u64, prompts);
    let peak = house.mock.peak_in_flight();
    assert!(peak <= IN_FLIGHT as usize, "{peak} under way at once");
    assert!(peak > IN_FLIGHT.div_ceil(3) as usize, "{peak}: one worker alone asked");
    for mut worker in workers {
        assert_eq!(worker.stop().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_taken_over_when_its_lease_ends() {
    let house = House::open(Duration::from_secs(1)).await;
    let mut doomed = house.hire().await;
    let _others = [house.hire().await, house.hire().await];
    house.until_divided_among(3).await;
    let prompts = 150;
    let job = house.service.submit(&small_job("mock", prompts)).await;
    house.until_shared_by(3).await;
    doomed.kill().await;
    assert_eq!(house.owners().await.len(), 3, "it died with a lease");
    let ended = house.service.wait_for_end(&job, TAKEN_OVER_WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], prompts);
    house.assert_complete(&job, prompts).await;
    // Lost, and so asked again: what the dead worker had in flight or inside one commit window.
    let again = house.mock.requests() as u64 - prompts;
    assert!(again <= 2 * u64::from(IN_FLIGHT), "{again} prompts were asked twice");
    let peak = house.mock.peak_in_flight();
    assert!(peak <= IN_FLIGHT as usize, "{peak} under way at once, the dead worker's included");
}

/// Requests a minute of three workers together, seen where they arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_holds_over_all_workers_together() {
    let per_minute: u64 = if full() { 600 } else { 1_800 };
    let seconds: u64 = if full() { 130 } else { 20 };
    let limits = json!({ "in_flight": 30, "requests_per_minute": per_minute });
    let house = House::with_limits(Duration::from_millis(100), &limits).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(house.hire().await);
    }
    house.until_divided_among(3).await;
    let job = house.service.submit(&small_job("mock", ENDLESS)).await;
    house.until_shared_by(3).await;
    let before = house.mock.requests();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let sent = (house.mock.requests() - before) as u64;
    house.assert_pace(per_minute, 3);
    println!("{sent} of {} were sent", per_minute * seconds / 60);
    assert_used(sent, per_minute * seconds / 60);
    house.cancel(&job).await;
}

/// Of what a limit allows, 95 % and more is used.
fn assert_used(sent: u64, allowed: u64) {
    assert!(sent * 100 >= allowed * 95, "{sent} of {allowed}");
}

/// Tokens a minute of three workers together, as the endpoint counts them.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_a_minute_hold_over_all_workers_together() {
    let per_minute: u64 = 600_000;
    let seconds: u64 = if full() { 130 } else { 20 };
    let limits = json!({ "in_flight": 30, "tokens_per_minute": per_minute });
    // Every answer is as long as it may be, so an estimate is short of nothing.
    let latency = Duration::from_millis(100);
    let config = MockConfig { latency, completion_tokens: Some(400), ..MockConfig::default() };
    let house = House::with_mock(config, &limits).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(house.hire().await);
    }
    house.until_divided_among(3).await;
    let job = house.service.submit(&small_job("mock", ENDLESS)).await;
    house.until_shared_by(3).await;
    let before = house.mock.tokens();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let sent = house.mock.tokens() - before;
    let one = house.mock.tokens() / house.mock.requests() as u64;
    for window in [5, 10, 20] {
        let most = per_minute * window / 60 + 3 * (per_minute / 3 / 600 + 2 * one);
        let held = house.mock.fullest_tokens(Duration::from_secs(window));
        assert!(held <= most, "{held} tokens in {window} s");
    }
    let minute = house.mock.fullest_tokens(Duration::from_secs(60));
    assert!(minute <= per_minute, "{minute} tokens in a minute");
    println!("{sent} of {} were sent", per_minute * seconds / 60);
    assert_used(sent, per_minute * seconds / 60);
    house.cancel(&job).await;
}

/// Requests of which one takes more than a third of the minute's tokens: two of three workers have a
/// share in which one fits, and none sends one that its share does not hold.
#[tokio::test(flavor = "multi_thread")]
async fn requests_larger_than_an_equal_share_do_not_overrun_the_limit() {
    let per_minute: u64 = 12_000;
    let seconds: u64 = if full() { 150 } else { 20 };
    let limits = json!({ "in_flight": 30, "tokens_per_minute": per_minute });
    let config = MockConfig { completion_tokens: Some(400), ..MockConfig::default() };
    let house = House::with_mock(config, &limits).await;
    // The prompt is what is large: nobody knows before it is rendered.
    let body = format!("{} Write about {{{{ seed.topic }}}}.", "Be brief and kind. ".repeat(1_040));
    let template = json!({"format": "long-story", "body": body});
    let (status, answer) = house.service.put("/v1/templates/long-story", &template).await;
    assert_eq!(status, 201, "{answer}");
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(house.hire().await);
    }
    house.until_divided_among(3).await;
    let mut spec = small_job("mock", ENDLESS);
    spec["recipe"] = json!([{"template": "long-story", "audience": "toddler", "share": 1.0}]);
    let job = house.service.submit(&spec).await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (requests, one) = (house.mock.requests() as u64, house.mock.tokens());
    let one = one / requests.max(1);
    let minute = house.mock.fullest_tokens(Duration::from_secs(60));
    println!("{requests} requests of {one} tokens; {minute} in the fullest minute");
    assert!((4_500..6_000).contains(&one), "{one} tokens each, which shows nothing");
    assert!(minute <= per_minute, "{minute} tokens in a minute");
    // Two fit into a minute, and go.
    assert!(requests >= 2 * (1 + seconds / 61), "{requests} requests in {seconds} s");
    house.cancel(&job).await;
}

/// A worker dies and its successor starts within the minute: the dead one's part counts as used
/// until nobody's last minute holds it any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_holds_across_a_kill_and_a_restart() {
    let per_minute: u64 = 600;
    let seconds = if full() { 150 } else { 20 };
    let limits = json!({ "in_flight": 30, "requests_per_minute": per_minute });
    let house = House::with_limits(Duration::from_millis(100), &limits).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(house.hire().await);
    }
    house.until_divided_among(3).await;
    let job = house.service.submit(&small_job("mock", ENDLESS)).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    workers.remove(0).kill().await;
    let at_the_kill = house.mock.requests();
    workers.push(house.hire().await);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    house.assert_pace(per_minute, 4);
    let since = (house.mock.requests() - at_the_kill) as u64;
    // The dead one's part is still its own, and until it is the successor's the two that live have
    // two thirds.
    let part = per_minute * seconds / 60 * 2 / 3;
    println!("{since} of {part} were sent after the kill");
    assert_used(since, part);
    if full() {
        // Lease and cooling are over: the successor has the dead one's part.
        house.until_divided_among(3).await;
    }
    house.cancel(&job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_share_holds_no_prompts() {
    let house = House::open(Duration::from_millis(200)).await;
    let _workers = [house.hire().await, house.hire().await];
    house.until_divided_among(2).await;
    let job = house.service.submit(&small_job("mock", ENDLESS)).await;
    house.until_shared_by(2).await;
    house.limit(&json!({ "in_flight": 1 })).await;
    house.until_shared_by(1).await;
    // What was under way before ends; then there is one at a time, by one worker.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for _ in 0..40 {
        assert!(house.mock.in_flight() <= 1);
        assert!(house.owners().await.len() <= 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    house.limit(&json!({ "in_flight": IN_FLIGHT })).await;
    house.until_shared_by(2).await;
    house.cancel(&job).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_past_its_lease_writes_and_sends_nothing() {
    let house = House::open(Duration::from_secs(1)).await;
    let sleeper = house.hire().await;
    let prompts = 60;
    let job = house.service.submit(&small_job("mock", prompts)).await;
    house.until_shared_by(1).await;
    sleeper.freeze();
    let _other = house.hire().await;
    let ended = house.service.wait_for_end(&job, TAKEN_OVER_WITHIN).await;
    assert_eq!(ended["counts"]["accepted"], prompts, "{ended}");
    let (asked, spent) = (house.mock.requests(), ended["usage"].clone());
    sleeper.thaw();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(house.mock.requests(), asked, "it sends nothing more");
    house.assert_complete(&job, prompts).await;
    let (_, after) = house.service.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!(after["usage"], spent, "what it had answered is not stored");
    // It is as good as new: the next job is done by both.
    let next = house.service.submit(&small_job("mock", ENDLESS)).await;
    house.until_shared_by(2).await;
    house.cancel(&next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_where_it_is_allowed_and_no_further() {
    let house = House::open(Duration::ZERO).await;
    let data_dir = house.service.data_dir().to_owned();
    let _worker = WorkerProcess::start(&house.database.url, &data_dir, &[]).await;
    let job = house.service.submit(&small_job("mock", 4)).await;
    let deadline = tokio::time::Instant::now() + WITHIN;
    let endpoint = loop {
        let (_, endpoint) = house.service.get("/v1/endpoints/mock").await;
        if endpoint["state"] == "paused" {
            break endpoint;
        }
        assert!(tokio::time::Instant::now() < deadline, "{endpoint}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    // It says so where people look, sends nothing, and fails no prompt: the operator can mend it.
    assert!(endpoint["message"].as_str().is_some_and(|text| text.contains("127.0.0.1")));
    assert_eq!(house.mock.requests(), 0);
    let (_, waiting) = house.service.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!((&waiting["state"], &waiting["counts"]["failed"]), (&"running".into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_the_services_secret_key_does_not_start() {
    let database = TestDatabase::create().await;
    let directory = tempfile::tempdir().expect("a directory");
    let data_dir: PathBuf = directory.path().join("elsewhere");
    let ran = Cli::default()
        .with("DATABASE_URL", &database.url)
        .run("worker --no-local-engine --data-dir", &[&data_dir])
        .await
        .exits(2);
    assert!(ran.stderr.contains("secret.key"), "{}", ran.stderr);
    assert!(!data_dir.join("secret.key").exists(), "it makes no key of its own");
}
