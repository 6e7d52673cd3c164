//! How a service ends, and when it refuses to begin.

use std::path::Path;
use std::time::Duration;

use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};

const WITHIN: Duration = Duration::from_secs(60);
/// Prompts of the job that is interrupted.
const PROMPTS: u64 = 60;
/// A key as a deployment brings it along.
const INITIAL_KEY: &str =
    "hb_0123456789ab_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_of_the_whole_group_drains_and_a_restart_goes_on() {
    let slow = MockConfig { latency: Duration::from_millis(300), ..MockConfig::default() };
    let mock = MockEndpoint::start(slow).await;
    let mut service = Service::start_with(Options {
        arguments: vec!["--no-local-engine".to_owned()],
        own_group: true,
        ..Options::default()
    })
    .await;
    service.add_endpoint("mock", &mock.base_url(), 4).await;
    let job = service.submit(&small_job("mock", PROMPTS)).await;
    service.wait_for(&job, WITHIN, |job| job["counts"]["accepted"].as_u64() > Some(4)).await;

    // A second service would share a cluster with the first: it must not start.
    let second = Cli::default()
        .run("serve --listen 127.0.0.1:0 --no-local-engine --data-dir", &[service.data_dir()])
        .await
        .exits(1);
    let in_use = format!("in use by another service (process {})", service.pid().as_raw_nonzero());
    assert!(second.stderr.contains(&in_use), "{}", second.stderr);

    assert_eq!(service.interrupt_group().await, Some(0));
    assert_stopped_cleanly(service.data_dir());
    let sent = mock.requests() as u64;
    assert!(sent < PROMPTS, "the job was to be interrupted before its end");

    service.restart().await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], PROMPTS);
    assert_eq!(service.seqs(&job).await, (0..PROMPTS).collect::<Vec<_>>());
    assert_eq!(mock.requests() as u64, PROMPTS, "what was in flight had been finished and stored");
    let log = postgres_log(service.data_dir());
    assert!(!log.contains("was not properly shut down"), "{log}");
}

/// The private server is gone, and said good-bye.
fn assert_stopped_cleanly(data_dir: &Path) {
    assert!(!data_dir.join("postgres/cluster/data/postmaster.pid").exists());
    let log = postgres_log(data_dir);
    let last = log.lines().last().unwrap_or_default();
    assert!(last.ends_with("database system is shut down"), "{log}");
}

fn postgres_log(data_dir: &Path) -> String {
    std::fs::read_to_string(data_dir.join("postgres/log")).expect("the log of Postgres")
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_it_needs_a_key() {
    let database = TestDatabase::create().await;
    let directory = tempfile::tempdir().expect("a directory");
    let refused = Cli::default()
        .with("DATABASE_URL", &database.url)
        .run("serve --listen 0.0.0.0:0 --no-local-engine --data-dir", &[directory.path()])
        .await
        .exits(2);
    assert!(refused.stderr.contains("hornbook key create"), "{}", refused.stderr);
    assert!(!refused.stdout.contains("listening"), "{}", refused.stdout);

    let key_file = directory.path().join("initial-key");
    std::fs::write(&key_file, format!("{INITIAL_KEY}\n")).expect("writing the key");
    let log = directory.path().join("log");
    let mut service = Service::start_with(Options {
        database_url: Some(database.url.clone()),
        data_dir: Some(directory.path().to_owned()),
        listen: Some("0.0.0.0:0".to_owned()),
        arguments: ["--no-local-engine", "--initial-key-file", &key_file.display().to_string()]
            .map(str::to_owned)
            .to_vec(),
        log: Some(log.clone()),
        ..Options::default()
    })
    .await;
    service.url = service.url.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(service.get("/readyz").await.0, 200);
    assert_eq!(service.get("/v1/jobs").await.0, 401);
    let cli = Cli::at(&service.url);
    let without = cli.run("job ls", &[]).await.exits(4);
    assert!(!without.stderr.is_empty());
    cli.clone().key_file(&key_file).run("job ls --json", &[]).await.exits(0);
    cli.with("HORNBOOK_KEY", INITIAL_KEY).run("endpoint ls --json", &[]).await.exits(0);

    // The same file at the next start is the same key, not a second one.
    service.kill().await;
    service.restart().await;
    service.url = service.url.replace("0.0.0.0", "127.0.0.1");
    let keys = Cli::at(&service.url)
        .with("DATABASE_URL", &database.url)
        .run("key ls --json --data-dir", &[directory.path()])
        .await
        .exits(0)
        .json();
    assert_eq!(keys.as_array().map(Vec::len), Some(1), "{keys}");
    let log = std::fs::read_to_string(log).expect("the log");
    let secret = INITIAL_KEY.rsplit('_').next().expect("a secret");
    assert!(!log.is_empty() && !log.contains(secret), "{log}");
}
