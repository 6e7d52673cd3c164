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

/// The time in which the endpoint gets so many more requests.
async fn until_asked(endpoint: &MockEndpoint, requests: usize) -> Duration {
    let (begun, before) = (Instant::now(), endpoint.requests());
    while endpoint.requests() < before + requests {
        assert!(begun.elapsed() < WITHIN, "it got {}", endpoint.requests() - before);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_endpoint_is_not_slowed_by_the_company_it_keeps() {
    let healthy = MockConfig { latency: Duration::from_millis(100), ..MockConfig::default() };
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
    service.add_endpoint("slow", &slow.base_url(), 8).await;
    service.add_endpoint("dead", &dead, 8).await;
    service.add_endpoint("throttled", &throttled.base_url(), 8).await;

    // The measure: what it does alone, here and now.
    let alone = service.submit(&job(&["healthy"], 400)).await;
    let alone_took = until_asked(&healthy, 400).await;
    service.wait_for_end(&alone, WITHIN).await;

    let prompts = 600;
    let id = service.submit(&job(&["dead", "throttled", "slow", "healthy"], prompts)).await;
    let took = until_asked(&healthy, 400).await;
    println!("400 requests took the healthy endpoint {alone_took:?} alone, {took:?} in company");
    assert!(took.as_secs_f64() <= 1.2 * alone_took.as_secs_f64(), "{took:?} after {alone_took:?}");
    let ended = service.wait_for_end(&id, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "no prompt fails because of an endpoint: {ended}");
    assert_eq!(service.seqs(&id).await, (0..prompts).collect::<Vec<_>>());
    let shares = shares(&service, &id).await;
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["healthy", "slow"], "{shares:?}");
    // Eight times as fast, eight times as many; what the others gave back goes to either.
    let ratio = shares["healthy"] as f64 / shares["slow"] as f64;
    assert!((4.0..12.0).contains(&ratio), "{shares:?}");
}
