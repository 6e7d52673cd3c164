//! The main job: submit over REST, watch, pull the corpus by job id.

use std::time::Duration;

use hornbook_tests::corpus::pull_and_check;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::Service;
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_becomes_a_corpus_that_others_can_read() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), 16).await;
    let job = service.submit(&small_job("mock", 50)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], 50);

    // Shares asked for are shares delivered.
    let (_, stats) = service.get(&format!("/v1/jobs/{job}/stats")).await;
    let cell = |audience: &str| {
        let cells = stats["cells"].as_array().expect("cells");
        let of = cells.iter().filter(|cell| cell["audience"] == audience);
        of.map(|cell| cell["count"].as_u64().expect("a count")).sum::<u64>()
    };
    assert_eq!((cell("middle-school"), cell("college"), cell("toddler")), (20, 15, 15), "{stats}");

    let out = tempfile::tempdir().expect("a directory");
    let read = pull_and_check(&service.url, &job, out.path()).await;
    let (_, corpus) = service.get(&format!("/v1/jobs/{job}/corpus")).await;
    assert_eq!(read["rows"], corpus["rows"]);
    assert_eq!(corpus["partial"], false);
    assert_eq!(read["audiences"], json!(["college", "middle-school", "toddler"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_job_twice_gives_the_same_data() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), 16).await;
    let mut commits = Vec::new();
    for _ in 0..2 {
        let job = service.submit(&small_job("mock", 30)).await;
        service.wait_for_end(&job, WITHIN).await;
        let (_, corpus) = service.get(&format!("/v1/jobs/{job}/corpus")).await;
        let mut data: Vec<(String, String)> = Vec::new();
        for file in corpus["files"].as_array().expect("files") {
            let path = file["path"].as_str().expect("a path").to_owned();
            if path.starts_with("data/") {
                data.push((path, file["sha256"].as_str().expect("a hash").to_owned()));
            }
        }
        assert!(data.len() >= 2, "{corpus}");
        commits.push(data);
    }
    assert_eq!(commits[0], commits[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_every_prompt_fails_is_failed() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::always_status(400)).await;
    let service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), 4).await;
    let job = service.submit(&small_job("mock", 6)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "failed", "{ended}");
    assert_eq!(ended["errors"][0]["count"], 6, "{ended}");
    let (status, problem) = service.get(&format!("/v1/jobs/{job}/corpus")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_ready")));
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_resume_and_cancel_do_what_they_say() {
    let database = TestDatabase::create().await;
    let slow = MockConfig { latency: Duration::from_millis(300), ..MockConfig::default() };
    let mock = MockEndpoint::start(slow).await;
    let service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), 2).await;
    let job = service.submit(&small_job("mock", 200)).await;
    service.wait_for(&job, WITHIN, |job| job["counts"]["accepted"].as_u64() > Some(3)).await;

    let (status, paused) = service.post(&format!("/v1/jobs/{job}/pause"), &json!({})).await;
    assert_eq!((status, &paused["state"]), (200, &json!("paused")), "{paused}");
    // What was in flight is stored; then nothing more is sent.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = mock.requests();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(mock.requests(), sent);
    let (_, again) = service.post(&format!("/v1/jobs/{job}/pause"), &json!({})).await;
    assert_eq!(again["state"], "paused");

    service.post(&format!("/v1/jobs/{job}/resume"), &json!({})).await;
    service.wait_for(&job, WITHIN, |_| mock.requests() > sent).await;
    let (status, answer) = service.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "cancelled");

    // A cancelled job with accepted documents assembles a partial corpus by itself.
    let out = tempfile::tempdir().expect("a directory");
    let deadline = tokio::time::Instant::now() + WITHIN;
    while service.get(&format!("/v1/jobs/{job}/corpus")).await.0 != 200 {
        assert!(tokio::time::Instant::now() < deadline, "no partial corpus");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let read = pull_and_check(&service.url, &job, out.path()).await;
    let (_, corpus) = service.get(&format!("/v1/jobs/{job}/corpus")).await;
    assert_eq!(corpus["partial"], true);
    assert_eq!(read["rows"], corpus["rows"]);

    let (status, problem) = service.post(&format!("/v1/jobs/{job}/pause"), &json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("invalid_transition")), "{problem}");
}
