//! Who goes first: jobs share by weight, a small one is not stuck behind a large one, priorities are strict.

use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::Service;
use serde_json::{Value, json};
use uuid::Uuid;

/// Longest time for anything here.
const WITHIN: Duration = Duration::from_secs(150);
/// Pause between two looks at the database.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Largest chunk of prompts that a worker leases.
const CHUNK_PROMPTS_MAX: i64 = 1_024;
/// More prompts than anybody waits for; submitting them costs no more than submitting one.
const ENDLESS: u64 = 10_000_000;

/// A service with one worker and a mock that answers at once.
struct House {
    database: TestDatabase,
    service: Service,
    _mock: MockEndpoint,
}

impl House {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let mock = MockEndpoint::start(MockConfig { words: 1, ..MockConfig::default() }).await;
        let service = Service::start(&database).await;
        service.add_endpoint("mock", &mock.base_url(), 32).await;
        Self { database, service, _mock: mock }
    }

    async fn submit(&self, documents: u64, more: &Value) -> String {
        let mut spec = small_job("mock", documents);
        for (name, value) in more.as_object().expect("fields") {
            spec[name] = value.clone();
        }
        self.service.submit(&spec).await
    }

    /// Prompts of each job that were leased so far, all at one moment.
    async fn leased(&self, jobs: &[&String]) -> Vec<i64> {
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.parse().expect("an id")).collect();
        let mut connection = self.database.connect().await;
        sqlx::query_scalar(
            "SELECT next_seq FROM jobs JOIN unnest($1) WITH ORDINALITY AS asked (id, place) USING (id) ORDER BY place",
        )
        .bind(ids)
        .fetch_all(&mut connection)
        .await
        .expect("reading jobs")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_share_by_weight() {
    let house = House::open().await;
    let light = house.submit(ENDLESS, &json!({})).await;
    let heavy = house.submit(ENDLESS, &json!({ "weight": 3.0 })).await;
    let start = house.leased(&[&light, &heavy]).await;
    let deadline = tokio::time::Instant::now() + WITHIN;
    let (mut of_light, mut of_heavy) = (0, 0);
    while of_light < 3 * CHUNK_PROMPTS_MAX {
        assert!(tokio::time::Instant::now() < deadline, "{of_light} and {of_heavy} were leased");
        tokio::time::sleep(LOOK_EVERY).await;
        let leased = house.leased(&[&light, &heavy]).await;
        (of_light, of_heavy) = (leased[0] - start[0], leased[1] - start[1]);
        // Neither is ever ahead of its part by more than one chunk of its own and one of the other.
        let ahead = of_heavy - 3 * of_light;
        let most = CHUNK_PROMPTS_MAX + 3 * CHUNK_PROMPTS_MAX;
        assert!(ahead.abs() <= most, "{of_light} and {of_heavy} were leased");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_job_is_not_stuck_behind_a_large_one() {
    let house = House::open().await;
    let large = house.submit(ENDLESS, &json!({})).await;
    let running = |view: &Value| view["counts"]["accepted"].as_u64() > Some(2_000);
    house.service.wait_for(&large, WITHIN, running).await;
    let small = house.submit(60, &json!({})).await;
    let before = house.leased(&[&large]).await[0];
    let deadline = tokio::time::Instant::now() + WITHIN;
    let meanwhile = loop {
        let leased = house.leased(&[&large, &small]).await;
        if leased[1] > 0 {
            break leased[0] - before;
        }
        assert!(tokio::time::Instant::now() < deadline, "it has no turn");
        tokio::time::sleep(LOOK_EVERY).await;
    };
    // Its turn comes with the next claim or the one after; looking takes some time as well.
    assert!(meanwhile <= 4 * CHUNK_PROMPTS_MAX, "{meanwhile} prompts of the large one went first");
    let ended = house.service.wait_for_end(&small, WITHIN).await;
    assert_eq!(ended["counts"]["accepted"], 60, "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_priority_goes_first() {
    let house = House::open().await;
    let common = house.submit(ENDLESS, &json!({})).await;
    let humble = house.submit(10, &json!({ "priority": -1 })).await;
    let running = |view: &Value| view["counts"]["accepted"].as_u64() > Some(100);
    house.service.wait_for(&common, WITHIN, running).await;
    let total = 6_000;
    let urgent = house.submit(total as u64, &json!({ "priority": 5 })).await;
    let deadline = tokio::time::Instant::now() + WITHIN;
    let mut at_its_start = None;
    loop {
        assert!(tokio::time::Instant::now() < deadline, "the urgent job was not leased in time");
        let leased = house.leased(&[&common, &urgent, &humble]).await;
        assert_eq!(leased[2], 0, "the humble job waits for the common one");
        match leased[1] {
            0 => {}
            some if some == total => break,
            _ => {
                let start = *at_its_start.get_or_insert(leased[0]);
                assert_eq!(leased[0], start, "nobody else is leased from while it has prompts");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    assert!(at_its_start.is_some(), "it was leased in one piece, which shows nothing");
    let ended = house.service.wait_for_end(&urgent, WITHIN).await;
    assert_eq!(ended["counts"]["accepted"], total, "{ended}");
}
