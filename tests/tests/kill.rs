//! `kill -9` of anything loses nothing and doubles nothing.

use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

/// Longest time for the job to end after the last kill; leases of the dead run out in the meantime.
const WITHIN: Duration = Duration::from_secs(180);

/// How often to kill in one job: five times, and many times in the long run.
fn kills() -> u32 {
    if environment::full() { 40 } else { 5 }
}

/// Prompts of the job: enough that it is under way at every kill.
fn prompts() -> u64 {
    48 * u64::from(kills())
}

async fn slow_mock() -> MockEndpoint {
    MockEndpoint::start(MockConfig { latency: Duration::from_millis(400), ..MockConfig::default() })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seq_exactly_once_under_kill_of_the_service() {
    let database = TestDatabase::create().await;
    let service = Service::start(&database).await;
    kill_the_service(service, 7).await;
}

/// The private Postgres outlives the service each time and is adopted by the next.
#[tokio::test(flavor = "multi_thread")]
async fn every_seq_exactly_once_under_kill_of_the_service_with_its_own_postgres() {
    kill_the_service(with_own_postgres().await, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seq_exactly_once_under_kill_of_postgres() {
    let mock = slow_mock().await;
    let service = with_own_postgres().await;
    service.add_endpoint("mock", &mock.base_url(), 8).await;
    let job = service.submit(&small_job("mock", prompts())).await;

    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..kills() {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        kill_process(service.postmaster(), Signal::KILL).expect("killing Postgres");
        // The next kill must meet a running server, or it would test nothing.
        assert_under_way(&service.wait_for(&job, WITHIN, |_| true).await);
    }
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_every_seq_once(&service, &job, &ended).await;
}

async fn with_own_postgres() -> Service {
    let arguments = vec!["--no-local-engine".to_owned()];
    Service::start_with(Options { arguments, ..Options::default() }).await
}

async fn kill_the_service(mut service: Service, seed: u64) {
    let mock = slow_mock().await;
    service.add_endpoint("mock", &mock.base_url(), 8).await;
    let job = service.submit(&small_job("mock", prompts())).await;

    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..kills() {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_200))).await;
        assert_under_way(&service.wait_for(&job, WITHIN, |_| true).await);
        service.kill().await;
        service.restart().await;
    }
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_every_seq_once(&service, &job, &ended).await;
}

/// A kill of a job that has ended already would prove nothing.
fn assert_under_way(job: &Value) {
    assert!(matches!(job["state"].as_str(), Some("queued" | "running")), "{job}");
}

async fn assert_every_seq_once(service: &Service, job: &str, ended: &Value) {
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["total"], prompts());
    assert_eq!(ended["counts"]["accepted"], prompts(), "{ended}");
    assert_eq!(ended["counts"]["running"], 0);
    assert_eq!(service.seqs(job).await, (0..prompts()).collect::<Vec<_>>());
}
