//! Several `hornbook worker` processes on one database: they share, take over, and leave in order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use hornbook_tests::worker::WorkerProcess;
use uuid::Uuid;

/// Longest time for what needs no lease to run out.
const WITHIN: Duration = Duration::from_secs(60);
/// A lease (30 s), and time to do what its owner left.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(75);
/// Requests under way at once, for each worker.
const IN_FLIGHT: u32 = 3;

/// A service that leaves the work to others, and the configuration that lets them reach a mock.
struct House {
    database: TestDatabase,
    service: Service,
    mock: MockEndpoint,
    config: tempfile::NamedTempFile,
}

impl House {
    async fn open(latency: Duration) -> Self {
        let database = TestDatabase::create().await;
        let mock = MockEndpoint::start(MockConfig { latency, ..MockConfig::default() }).await;
        let service = Service::start_with(Options {
            database_url: Some(database.url.clone()),
            arguments: ["--no-local-engine", "--workers", "0"].map(str::to_owned).to_vec(),
            ..Options::default()
        })
        .await;
        service.add_endpoint("mock", &mock.base_url(), IN_FLIGHT).await;
        let config = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(config.path(), "allowed_networks = [\"127.0.0.0/8\"]\n").expect("writing");
        Self { database, service, mock, config }
    }

    async fn hire(&self) -> WorkerProcess {
        let config = self.config.path().display().to_string();
        let data_dir = self.service.data_dir();
        WorkerProcess::start(&self.database.url, data_dir, &["--config", &config]).await
    }

    /// Owners of the leases held at this moment.
    async fn owners(&self) -> BTreeSet<Uuid> {
        let mut connection = self.database.connect().await;
        sqlx::query_scalar("SELECT lease_owner FROM job_chunks WHERE state = 'leased'")
            .fetch_all(&mut connection)
            .await
            .expect("reading leases")
            .into_iter()
            .collect()
    }

    /// Waits until this many workers hold leases.
    async fn until_shared_by(&self, workers: usize) {
        let deadline = tokio::time::Instant::now() + WITHIN;
        loop {
            let owners = self.owners().await;
            if owners.len() == workers {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "leases are held by {owners:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A job that ended well has every seq once.
    async fn assert_complete(&self, job: &str, prompts: u64) {
        let seqs = self.service.seqs(job).await;
        assert_eq!(seqs, (0..prompts).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_share_a_job_and_one_leaves_in_order() {
    let house = House::open(Duration::from_millis(400)).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(house.hire().await);
    }
    let prompts = 150;
    let job = house.service.submit(&small_job("mock", prompts)).await;
    house.until_shared_by(3).await;
    let mut leaving = workers.pop().expect("a worker");
    assert_eq!(leaving.stop().await, Some(0));
    assert_eq!(house.owners().await.len(), 2, "what it had not sent is handed back");
    let ended = house.service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], prompts);
    house.assert_complete(&job, prompts).await;
    // No overlap, and what was in flight at the stop was finished: nothing was asked twice.
    assert_eq!(house.mock.requests() as u64, prompts);
    assert!(house.mock.peak_in_flight() > IN_FLIGHT as usize, "more than one worker asked");
    for mut worker in workers {
        assert_eq!(worker.stop().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_taken_over_when_its_lease_ends() {
    let house = House::open(Duration::from_secs(1)).await;
    let mut doomed = house.hire().await;
    let prompts = 80;
    let job = house.service.submit(&small_job("mock", prompts)).await;
    house.until_shared_by(1).await;
    let dead = house.owners().await;
    let _second = house.hire().await;
    let _third = house.hire().await;
    house.until_shared_by(3).await;
    doomed.kill().await;
    assert!(house.owners().await.is_superset(&dead), "it died with a lease");
    let ended = house.service.wait_for_end(&job, TAKEN_OVER_WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], prompts);
    house.assert_complete(&job, prompts).await;
    // Lost, and so asked again: what the dead worker had in flight or inside one commit window.
    let again = house.mock.requests() as u64 - prompts;
    assert!(again <= 2 * u64::from(IN_FLIGHT), "{again} prompts were asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_where_it_is_allowed_and_no_further() {
    let house = House::open(Duration::ZERO).await;
    let data_dir = house.service.data_dir().to_owned();
    let _worker = WorkerProcess::start(&house.database.url, &data_dir, &[]).await;
    let job = house.service.submit(&small_job("mock", 4)).await;
    let deadline = tokio::time::Instant::now() + WITHIN;
    let endpoint = loop {
        let (_, endpoint) = house.service.get("/v1/endpoints/mock").await;
        if endpoint["state"] == "paused" {
            break endpoint;
        }
        assert!(tokio::time::Instant::now() < deadline, "{endpoint}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    // It says so where people look, sends nothing, and fails no prompt: the operator can mend it.
    assert!(endpoint["message"].as_str().is_some_and(|text| text.contains("127.0.0.1")));
    assert_eq!(house.mock.requests(), 0);
    let (_, waiting) = house.service.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!((&waiting["state"], &waiting["counts"]["failed"]), (&"running".into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_the_services_secret_key_does_not_start() {
    let database = TestDatabase::create().await;
    let directory = tempfile::tempdir().expect("a directory");
    let data_dir: PathBuf = directory.path().join("elsewhere");
    let ran = Cli::default()
        .with("DATABASE_URL", &database.url)
        .run("worker --no-local-engine --data-dir", &[&data_dir])
        .await
        .exits(2);
    assert!(ran.stderr.contains("secret.key"), "{}", ran.stderr);
    assert!(!data_dir.join("secret.key").exists(), "it makes no key of its own");
}
