//! OpenAI's Batch API as an endpoint of a whole service, which dies while a batch is under way.

#![expect(clippy::unwrap_used, reason = "an unwrap in a test is an assertion")]

#[expect(dead_code, reason = "the client's own tests look at more of it")]
#[path = "../../crates/hornbook-inference/tests/it/batch_mock.rs"]
mod batch_mock;

use std::time::Duration;

use batch_mock::{BatchMock, End};
use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::python;
use hornbook_tests::service::Service;
use serde_json::json;
use tokio::time::timeout;

/// Longest time for the job to end; the leases of the dead run out in the meantime.
const WITHIN: Duration = Duration::from_secs(120);
const KEY: &str = "sk-batch-0123456789";

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_outlives_its_maker_is_paid_for_once() {
    let mock = BatchMock::start(KEY, vec![End::Never]).await;
    let database = TestDatabase::create().await;
    let mut service = Service::start(&database).await;
    let endpoint = json!({
        "preset": "openai", "kind": "openai_batch", "base_url": mock.base_url(), "model": "m",
        "api_key": KEY, "limits": {"in_flight": 100},
        "options": {"batch_linger_seconds": 0.5, "batch_poll_seconds": 0.2},
        "price": {"input_per_million": 1.0, "output_per_million": 2.0}
    });
    let (status, stored) = service.put("/v1/endpoints/cheap", &endpoint).await;
    assert_eq!(status, 201, "{stored}");
    let (_, tried) = service.post("/v1/endpoints/cheap/test", &json!({})).await;
    assert_eq!((&tried["ok"], mock.sizes().len()), (&json!(true), 0), "asked at once: {tried}");
    let job = service.submit(&small_job("cheap", 40)).await;
    let whole = async {
        while mock.sizes().iter().sum::<usize>() < 40 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(WITHIN, whole).await.expect("every prompt gets into a batch");
    let before = mock.sizes();
    service.kill().await;
    // While nobody is there, the first batch expires half way and the others end well.
    mock.state().ends = vec![End::Expired { answered: before[0] / 2 }, End::Completed];
    service.restart().await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!((&ended["state"], &ended["counts"]["accepted"]), (&json!("succeeded"), &json!(40)));
    assert_eq!(service.seqs(&job).await, (0..40).collect::<Vec<u64>>());
    let expired = before[0] - before[0] / 2;
    let asked: usize = mock.sizes().iter().sum();
    assert_eq!(asked, 40 + expired, "{before:?}, then {:?}", mock.sizes());
    assert_eq!(ended["usage"]["prompt_tokens"], 7 * 40, "{ended}");
}

/// What the other test's provider is worth: the openai package finds in it what its types promise.
#[tokio::test(flavor = "multi_thread")]
async fn the_openai_package_takes_the_mock_for_the_real_one() {
    let mock = BatchMock::start(KEY, vec![End::Completed]).await;
    let seen = python::client("batch_client.py", &[&mock.base_url()], KEY, WITHIN).await;
    assert_eq!(seen["status"], "completed", "{seen}");
    assert_eq!(seen["texts"], json!(["answer to prompt 0", "answer to prompt 1"]));
    assert_eq!(seen["unknown_field"], 400, "{seen}");
    assert_eq!((&seen["found"], &seen["listed"]), (&json!(true), &json!(true)), "{seen}");
    assert_eq!(seen["twice"], json!(["failed", "duplicate_custom_id", 2]));
    assert!(seen["purpose"].as_str().unwrap().contains("purpose"), "{seen}");
    assert!(seen["window"].as_str().unwrap().contains("24h"), "{seen}");
}
