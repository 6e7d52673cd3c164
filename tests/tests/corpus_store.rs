//! A corpus store that cannot be written: the job says so and goes on when it can.

use std::time::Duration;

use hornbook_tests::corpus::pull_and_check;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_unwritable_store_fails_the_assembly_and_retry_mends_it() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let store = tempfile::tempdir().expect("a directory");
    let place = store.path().join("corpora");
    let service = Service::start_with(Options {
        database_url: Some(database.url.clone()),
        arguments: vec![
            "--no-local-engine".to_owned(),
            "--corpus-store".to_owned(),
            place.display().to_string(),
        ],
        ..Options::default()
    })
    .await;
    service.add_endpoint("mock", &mock.base_url(), 8).await;
    // A file where the directory was: root may write anywhere, but not below a file.
    std::fs::remove_dir_all(&place).expect("removing the store");
    std::fs::write(&place, b"in the way").expect("blocking the store");

    let job = service.submit(&small_job("mock", 12)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "failed", "{ended}");
    assert!(ended.to_string().contains("assembly_failed"), "{ended}");
    assert_eq!(ended["counts"]["accepted"], 12, "nothing is lost: {ended}");

    std::fs::remove_file(&place).expect("unblocking");
    std::fs::create_dir_all(&place).expect("unblocking");
    let (status, answer) = service.post(&format!("/v1/jobs/{job}/retry"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let ended = service.wait_for(&job, WITHIN, |job| job["state"] == "succeeded").await;
    assert_eq!(ended["counts"]["accepted"], 12);
    let out = tempfile::tempdir().expect("a directory");
    let read = pull_and_check(&service.url, &job, out.path()).await;
    assert_eq!(read["rows"], 12);
}
