//! A worker that is cut off from the database: it hears nothing of the leases that it loses, and must not need to.

use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::proxy::Proxy;
use hornbook_tests::service::{Options, Service};
use hornbook_tests::worker::WorkerProcess;
use serde_json::json;
use tokio::time::Instant;

/// What a lease lasts on the database's clock.
const LEASE: Duration = Duration::from_secs(30);
/// Longest time for what has no reason to wait.
const WITHIN: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_from_the_database_sends_nothing_past_its_lease() {
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
    // No limit is named: no share of one ends either.
    let endpoint = json!({ "kind": "openai", "base_url": mock.base_url(), "model": "mock" });
    let (status, answer) = service.put("/v1/endpoints/mock", &endpoint).await;
    assert_eq!(status, 201, "{answer}");

    let proxy = Proxy::to(&database.url).await;
    let arguments = ["--config", config.as_str()];
    let _cut_off = WorkerProcess::start(&proxy.url, service.data_dir(), &arguments).await;
    let prompts = 2_000;
    let job = service.submit(&small_job("mock", prompts)).await;
    // Cut off, it leases nothing more: it must have enough to send for longer than the lease lasts.
    let leased = "SELECT coalesce(sum(hi - lo - accepted), 0)::bigint FROM job_chunks WHERE state = 'leased'";
    let mut connection = database.connect().await;
    let deadline = Instant::now() + WITHIN;
    loop {
        let leased: i64 =
            sqlx::query_scalar(leased).fetch_one(&mut connection).await.expect("reading leases");
        if leased >= 3 * mock.in_flight() as i64 + 50 {
            break;
        }
        assert!(Instant::now() < deadline, "{leased} prompts leased");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.cut();
    let cut_at = Instant::now();
    // Slow enough that what is rendered lasts, and something is under way when the lease ends.
    mock.behave(MockConfig::after(Duration::from_secs(20)));
    tokio::time::sleep_until(cut_at + Duration::from_secs(15)).await;
    let half_way = mock.requests();
    tokio::time::sleep_until(cut_at + Duration::from_secs(22)).await;
    assert!(mock.requests() > half_way, "it has nothing left to send: the test shows nothing");
    assert!(mock.in_flight() > 0);
    tokio::time::sleep_until(cut_at + LEASE - Duration::from_secs(1)).await;
    let sent = mock.requests();
    assert_eq!(mock.in_flight(), 0, "what it waits for others may ask again");
    let arguments = ["--config", config.as_str()];
    let _other = WorkerProcess::start(&database.url, service.data_dir(), &arguments).await;
    mock.behave(MockConfig::after(Duration::from_millis(100)));
    tokio::time::sleep_until(cut_at + LEASE).await;
    let taken_over = mock.requests();
    println!(
        "{half_way} requests half way through the lease, {sent} at its end, {taken_over} then"
    );
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(
        (&ended["state"], &ended["counts"]["accepted"]),
        (&json!("succeeded"), &prompts.into())
    );
    assert_eq!(mock.overlaps(), 0, "two asked the same at once");

    proxy.mend();
    let again = mock.requests();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(mock.requests(), again, "it came back and sent what was not its own");
    assert_eq!(service.seqs(&job).await, (0..prompts).collect::<Vec<_>>());
}
