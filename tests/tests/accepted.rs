//! Exactly so many accepted documents, and always the same ones: across a kill, and when failures are run again.

use std::collections::BTreeMap;
use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{Fault, MockConfig, MockEndpoint};
use hornbook_tests::service::Service;
use serde_json::{Value, json};

/// Accepted documents that are asked for.
const WANTED: u64 = 200;
/// Requests under way at once.
const IN_FLIGHT: u32 = 16;
/// Longest time for a job.
const WITHIN: Duration = Duration::from_secs(120);

/// A job that wants accepted documents, with every gate at its default.
fn wanting() -> Value {
    let mut job = small_job("mock", 1);
    let fields = job.as_object_mut().expect("an object");
    fields.remove("documents");
    fields.remove("gates");
    fields.insert("accepted".to_owned(), json!(WANTED));
    job
}

/// One in five is cut short and so rejected; with `refused`, one in ten fails for good. Now and then an error passes.
fn moody(refused: u32) -> MockConfig {
    MockConfig {
        latency: Duration::from_millis(30),
        for_good: vec![(200, Fault::Length), (refused, Fault::Status(400))],
        faults: vec![(30, Fault::Status(500))],
        ..MockConfig::default()
    }
}

/// Data files of a job's corpus, by path, and how many rows they have.
async fn corpus(service: &Service, job: &str) -> (u64, BTreeMap<String, String>) {
    let (status, manifest) = service.get(&format!("/v1/jobs/{job}/corpus")).await;
    assert_eq!((status, &manifest["partial"]), (200, &json!(false)), "{manifest}");
    let files = manifest["files"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let files = files.map(|file| (text(&file["path"]), text(&file["sha256"])));
    let data = files.filter(|(path, _)| path.starts_with("data/")).collect();
    (manifest["rows"].as_u64().expect("a number"), data)
}

async fn ended(service: &Service, job: &str) -> Value {
    let ended = service.wait_for_end(job, WITHIN).await;
    let counts = &ended["counts"];
    let [accepted, surplus] = ["accepted", "surplus"].map(|name| counts[name].as_u64());
    assert_eq!(accepted.zip(surplus).map(|(all, more)| all - more), Some(WANTED), "{ended}");
    // Panics on a number that comes twice.
    service.seqs(job).await;
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_documents_are_taken_across_a_kill_and_a_retry() {
    let mock = MockEndpoint::start(moody(100)).await;
    let database = TestDatabase::create().await;
    let mut service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), IN_FLIGHT).await;

    let calm = service.submit(&wanting()).await;
    let calm_ended = ended(&service, &calm).await;
    assert!(calm_ended["counts"]["failed"].as_u64() > Some(5), "{calm_ended}");
    assert!(calm_ended["counts"]["rejected"].as_u64() > Some(10), "{calm_ended}");
    let calm_requests = mock.requests();
    let as_calm = corpus(&service, &calm).await;

    let killed = service.submit(&wanting()).await;
    let some = |job: &Value| job["counts"]["accepted"].as_u64() > Some(WANTED / 3);
    service.wait_for(&killed, WITHIN, some).await;
    service.kill().await;
    service.restart().await;
    ended(&service, &killed).await;
    assert_eq!(corpus(&service, &killed).await, as_calm, "the first of each line, by number");
    let requests = mock.requests() - calm_requests;
    println!("{WANTED} accepted documents took {calm_requests} requests, {requests} with a kill");

    // What failed for good works now: with it the first ones are others, the same as if it always had.
    mock.behave(moody(0));
    let (status, answer) =
        service.post(&format!("/v1/jobs/{killed}/retry"), &json!({"codes": ["http_400"]})).await;
    assert!(status < 300, "{status} {answer}");
    let again = ended(&service, &killed).await;
    assert_eq!(again["counts"]["failed"], 0, "{again}");
    let healthy = service.submit(&wanting()).await;
    ended(&service, &healthy).await;
    let as_healthy = corpus(&service, &healthy).await;
    assert_ne!(as_healthy, as_calm);
    assert_eq!(corpus(&service, &killed).await, as_healthy);
}
