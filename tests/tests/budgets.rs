//! A budget holds over all workers together, whatever becomes of one of them.

use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use hornbook_tests::worker::WorkerProcess;
use serde_json::json;
use tokio::time::Instant;

/// Requests under way at once, for all workers together.
const IN_FLIGHT: u64 = 16;
/// More tokens than any prompt and its answer have.
const TOKENS_EACH: u64 = 700;
/// Tokens that the job may use.
const BUDGET: u64 = 120_000;
/// What the dead one held is free when its lease has run out.
const WITHIN: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_costs_no_more_than_it_had_under_way() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::after(Duration::from_millis(500))).await;
    let service = Service::start_with(Options {
        database_url: Some(database.url.clone()),
        arguments: ["--no-local-engine", "--workers", "0"].map(str::to_owned).to_vec(),
        ..Options::default()
    })
    .await;
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), "allowed_networks = [\"127.0.0.0/8\"]\n").expect("writing");
    let config = config.path().display().to_string();
    let endpoint = json!({
        "kind": "openai", "base_url": mock.base_url(), "model": "mock",
        "limits": { "in_flight": IN_FLIGHT },
    });
    let (status, answer) = service.put("/v1/endpoints/mock", &endpoint).await;
    assert_eq!(status, 201, "{answer}");
    let arguments = ["--config", config.as_str()];
    let mut doomed = WorkerProcess::start(&database.url, service.data_dir(), &arguments).await;
    let _other = WorkerProcess::start(&database.url, service.data_dir(), &arguments).await;

    let mut spec = small_job("mock", 100_000);
    spec["budget"] = json!({ "tokens": BUDGET });
    let job = service.submit(&spec).await;
    let used = |job: &serde_json::Value| {
        let tokens = &job["usage"];
        tokens["prompt_tokens"].as_u64().unwrap_or(0)
            + tokens["completion_tokens"].as_u64().unwrap_or(0)
    };
    service.wait_for(&job, WITHIN, |job| used(job) >= BUDGET / 3).await;
    doomed.kill().await;
    let killed = Instant::now();
    let paused = service.wait_for(&job, WITHIN, |job| job["state"] == "paused").await;
    assert_eq!(paused["error"]["code"], "budget_spent", "{paused}");
    // What was under way at the end is stored as well.
    let deadline = Instant::now() + WITHIN;
    while mock.in_flight() > 0 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, ended) = service.get(&format!("/v1/jobs/{job}")).await;
    let (used, documents) = (used(&ended), ended["counts"]["accepted"].as_u64().unwrap_or(0));
    let lost = mock.requests() as u64 - documents;
    println!(
        "{used} of {BUDGET} tokens for {documents} documents, {:?} after the kill; {lost} requests \
         of the dead one came to nothing",
        killed.elapsed()
    );
    assert!(used >= BUDGET, "{used}");
    assert!(used <= BUDGET + IN_FLIGHT * TOKENS_EACH, "{used}");
    // What the dead one had in flight, or inside one commit window.
    assert!(lost <= 2 * IN_FLIGHT, "{lost} requests came to nothing");
}
