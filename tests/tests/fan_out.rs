//! Endpoints pull: each does what it can, and none waits for another.

use std::collections::BTreeMap;
use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{Fault, MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

const WITHIN: Duration = Duration::from_secs(90);

async fn service(database: &TestDatabase) -> Service {
    Service::start_with(Options {
        database_url: Some(database.url.clone()),
        arguments: vec!["--no-local-engine".to_owned()],
        ..Options::default()
    })
    .await
}

fn job(endpoints: &[&str], documents: u64) -> Value {
    let mut job = small_job(endpoints[0], documents);
    job["endpoints"] = json!(endpoints);
    job
}

/// Documents that each endpoint answered.
async fn shares(service: &Service, job: &str) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let (status, page) =
            service.get(&format!("/v1/jobs/{job}/documents?limit=200{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        for document in page["data"].as_array().expect("a list") {
            let endpoint = document["endpoint"].as_str().expect("a name").to_owned();
            *shares.entry(endpoint).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return shares,
        }
    }
}

/// Requests to the endpoint for each one to `measure`, from its next one on to the one so many later.
async fn of_the_measure(endpoint: &MockEndpoint, measure: &MockEndpoint, requests: usize) -> f64 {
    let until = async |requests: usize| {
        let begun = Instant::now();
        while endpoint.requests() < requests {
            assert!(begun.elapsed() < WITHIN, "it got {} of {requests}", endpoint.requests());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (endpoint.requests(), measure.requests())
    };
    let first = until(endpoint.requests() + 1).await;
    let last = until(first.0 + requests).await;
    (last.0 - first.0) as f64 / (last.1 - first.1).max(1) as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_endpoint_is_not_slowed_by_the_company_it_keeps() {
    let healthy = MockConfig { latency: Duration::from_millis(100), ..MockConfig::default() };
    let measure = MockEndpoint::start(healthy.clone()).await;
    let slow = MockConfig { latency: Duration::from_millis(800), ..MockConfig::default() };
    let throttling = Fault::Throttled { retry_after_seconds: 1 };
    let throttled = MockConfig { always: Some(throttling), ..MockConfig::default() };
    let healthy = MockEndpoint::start(healthy).await;
    let slow = MockEndpoint::start(slow).await;
    let throttled = MockEndpoint::start(throttled).await;
    let dead = {
        // Nobody listens there any more.
        let gone = MockEndpoint::start(MockConfig::default()).await;
        gone.base_url()
    };
    let database = TestDatabase::create().await;
    let service = service(&database).await;
    service.add_endpoint("healthy", &healthy.base_url(), 8).await;
    service.add_endpoint("measure", &measure.base_url(), 8).await;
    service.add_endpoint("slow", &slow.base_url(), 8).await;
    service.add_endpoint("dead", &dead, 8).await;
    service.add_endpoint("throttled", &throttled.base_url(), 8).await;

    // A job of its own, on an endpoint of its own, tells what this machine can do meanwhile.
    let beside = service.submit(&job(&["measure"], 4_000)).await;
    let alone = service.submit(&job(&["healthy"], 400)).await;
    let usual = of_the_measure(&healthy, &measure, 360).await;
    service.wait_for_end(&alone, WITHIN).await;

    let prompts = 600;
    let id = service.submit(&job(&["dead", "throttled", "slow", "healthy"], prompts)).await;
    let in_company = of_the_measure(&healthy, &measure, 360).await;
    println!("{usual:.2} requests for one of the measure's alone, {in_company:.2} in company");
    assert!(in_company >= 0.8 * usual, "{in_company} of the measure after {usual}");
    let ended = service.wait_for_end(&id, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "no prompt fails because of an endpoint: {ended}");
    assert_eq!(service.seqs(&id).await, (0..prompts).collect::<Vec<_>>());
    let (status, answer) = service.post(&format!("/v1/jobs/{beside}/cancel"), &Value::Null).await;
    assert!(status < 300, "{answer}");
    let shares = shares(&service, &id).await;
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["healthy", "slow"], "{shares:?}");
    // Eight times as fast, eight times as many; what the others gave back goes to either.
    let ratio = shares["healthy"] as f64 / shares["slow"] as f64;
    assert!((4.0..12.0).contains(&ratio), "{shares:?}");
}
