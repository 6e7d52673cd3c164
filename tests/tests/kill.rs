//! `kill -9` of anything loses nothing and doubles nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::Row as _;

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
    MockEndpoint::start(MockConfig { latency: Duration::from_millis(250), ..MockConfig::default() })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seq_exactly_once_under_kill_of_the_service() {
    let database = TestDatabase::create().await;
    let mock = slow_mock().await;
    let mut service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), 8).await;
    let job = service.submit(&small_job("mock", prompts())).await;

    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..kills() {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_200))).await;
        service.kill().await;
        service.restart().await;
    }
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_counts(&ended);

    let mut connection = database.connect().await;
    let seqs: Vec<i64> =
        sqlx::query("SELECT seq FROM documents WHERE job_id = $1::uuid ORDER BY seq")
            .bind(&job)
            .fetch_all(&mut connection)
            .await
            .expect("reading documents")
            .iter()
            .map(|row| row.get(0))
            .collect();
    let expected: Vec<i64> = (0..i64::try_from(prompts()).expect("small")).collect();
    assert_eq!(seqs, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seq_exactly_once_under_kill_of_postgres() {
    let mock = slow_mock().await;
    let service = Service::start_with(Options {
        arguments: vec!["--no-local-engine".to_owned()],
        ..Options::default()
    })
    .await;
    service.add_endpoint("mock", &mock.base_url(), 8).await;
    let job = service.submit(&small_job("mock", prompts())).await;

    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..kills() {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        kill_process(postmaster(service.data_dir()), Signal::KILL).expect("killing Postgres");
        // The next kill must meet a running server, or it would test nothing.
        service.wait_for(&job, WITHIN, |_| true).await;
    }
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_counts(&ended);
    assert_eq!(all_seqs(&service, &job).await, (0..prompts()).collect::<BTreeSet<_>>());
}

fn assert_counts(job: &Value) {
    assert_eq!(job["counts"]["total"], prompts());
    assert_eq!(job["counts"]["accepted"], prompts(), "{job}");
    assert_eq!(job["counts"]["running"], 0);
}

/// The server's pid, from its own pid file.
fn postmaster(data_dir: &std::path::Path) -> Pid {
    let mut found = None;
    let mut places = vec![data_dir.to_owned()];
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name() == "postmaster.pid" {
                found = std::fs::read_to_string(entry.path()).ok();
            } else if entry.path().is_dir() && places.len() < 64 {
                places.push(entry.path());
            }
        }
    }
    let text = found.expect("Postgres runs");
    let pid = text.lines().next().expect("a pid").parse().expect("a pid");
    Pid::from_raw(pid).expect("a pid")
}

/// Every seq of a job's documents through the API; panics on one that comes twice.
async fn all_seqs(service: &Service, job: &str) -> BTreeSet<u64> {
    let mut seqs = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let (status, page) =
            service.get(&format!("/v1/jobs/{job}/documents?limit=200{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        for document in page["data"].as_array().expect("a list") {
            let seq = document["seq"].as_u64().expect("a seq");
            assert!(seqs.insert(seq), "seq {seq} comes twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seqs,
        }
    }
}
