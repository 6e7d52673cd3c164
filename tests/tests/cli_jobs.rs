//! `hornbook job`, `endpoint` and `corpus` against a real service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hornbook_tests::cli::Cli;
use hornbook_tests::corpus;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(60);
/// A key that must be seen nowhere but at the endpoint.
const ENDPOINT_KEY: &str = "sk-seen-by-nobody-4711";
/// Id of a job that nobody submitted.
const NO_JOB: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

struct House {
    service: Service,
    mock: MockEndpoint,
    cli: Cli,
    directory: tempfile::TempDir,
}

impl House {
    async fn open(config: MockConfig) -> Self {
        let database = TestDatabase::create().await;
        let mock = MockEndpoint::start(config).await;
        let service = Service::start(&database).await;
        service.add_endpoint("mock", &mock.base_url(), 4).await;
        let cli = Cli::at(&service.url);
        Self { service, mock, cli, directory: tempfile::tempdir().expect("a directory") }
    }

    fn job_file(&self, spec: &Value) -> PathBuf {
        let path = self.directory.path().join("job.json");
        std::fs::write(&path, spec.to_string()).expect("writing");
        path
    }

    /// Bytes of corpus files that the service handed out so far.
    async fn bytes_sent(&self) -> u64 {
        let answer = self.service.http.get(format!("{}/metrics", self.service.url)).send().await;
        let text = answer.expect("asking").text().await.expect("metrics");
        let line = text.lines().find(|line| line.starts_with("hornbook_corpus_bytes_total "));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("a number")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_submitted_watched_and_listed() {
    let house = House::open(MockConfig::default()).await;
    let file = house.job_file(&small_job("mock", 20));
    let submitted = house.cli.run("job submit --watch", &[&file]).await.exits(0);
    let id = submitted.stdout.lines().next().expect("an id").to_owned();
    assert!(submitted.stdout.contains("succeeded  20/20 documents"), "{}", submitted.stdout);
    let shown = house.cli.run(&format!("job show {id}"), &[]).await.exits(0).stdout;
    assert!(shown.lines().any(|line| line.starts_with("accepted") && line.ends_with(" 20")));
    let shown = house.cli.run(&format!("job show {id} --json"), &[]).await.exits(0).json();
    assert_eq!(shown["state"], "succeeded");
    let submit = "job submit --weight 2.5 --watch --json";
    let watched = house.cli.run(submit, &[&file]).await.exits(0).json();
    assert_eq!(watched["weight"], 2.5);
    assert_eq!(watched["counts"]["accepted"], 20);
    let listed = house.cli.run("job ls --json", &[]).await.exits(0).json();
    assert_eq!(listed[1]["id"], id.as_str(), "newest first");
    assert_eq!(house.cli.run("job ls --limit 1 --json", &[]).await.json()[0]["id"], watched["id"]);
    assert!(house.cli.run("job ls", &[]).await.exits(0).stdout.contains(&id));

    house.cli.run(&format!("job show {NO_JOB}"), &[]).await.exits(3);
    house.cli.run(&format!("job watch {NO_JOB}"), &[]).await.exits(3);
    let mut unknown = small_job("mock", 4);
    unknown["recipe"][1]["template"] = json!("nothing-of-the-kind");
    let file = house.job_file(&unknown);
    let refused = house.cli.run("job submit", &[&file]).await.exits(1);
    assert!(refused.stderr.contains("/recipe/1/template"), "{}", refused.stderr);
    std::fs::write(&file, "{ not json").expect("writing");
    house.cli.run("job submit", &[&file]).await.exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_paused_resumed_and_cancelled_and_its_corpus_is_partial() {
    let slow = MockConfig { latency: Duration::from_millis(200), ..MockConfig::default() };
    let house = House::open(slow).await;
    let job = house.service.submit(&small_job("mock", 400)).await;
    house.service.wait_for(&job, WITHIN, |job| job["counts"]["accepted"].as_u64() > Some(5)).await;
    let paused = house.cli.run(&format!("job pause {job}"), &[]).await.exits(0);
    assert_eq!(paused.stdout, format!("{job}  paused\n"));
    let resumed = house.cli.run(&format!("job resume {job} --json"), &[]).await.exits(0).json();
    assert_eq!(resumed["state"], "running");
    let out = house.directory.path().join("corpus");
    let early = house.cli.run(&format!("corpus pull {job} -o"), &[&out]).await.exits(1);
    assert!(early.stderr.contains("no corpus yet"), "{}", early.stderr);
    house.cli.run(&format!("job cancel {job}"), &[]).await.exits(0);
    house.cli.run(&format!("job watch {job}"), &[]).await.exits(6);
    let refused = house.cli.run(&format!("job pause {job}"), &[]).await.exits(1);
    assert!(refused.stderr.contains("cancelled"), "{}", refused.stderr);

    let deadline = tokio::time::Instant::now() + WITHIN;
    while house.service.get(&format!("/v1/jobs/{job}/corpus")).await.0 != 200 {
        assert!(tokio::time::Instant::now() < deadline, "no partial corpus");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let pulled = house.cli.run(&format!("corpus pull {job} -o"), &[&out]).await.exits(6);
    assert!(pulled.stderr.contains("partial"), "{}", pulled.stderr);
    let read = corpus::check(&out).await;
    assert!(read["rows"].as_u64() > Some(5), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_costs_is_foretold_bounded_and_told() {
    let house = House::open(MockConfig::default()).await;
    let mut spec = small_job("mock", 200);
    spec["budget"] = json!({"tokens": 1_000});
    let file = house.job_file(&spec);
    let foretold = house.cli.run("job submit --dry-run", &[&file]).await.exits(0).stdout;
    assert!(foretold.lines().any(|line| line.starts_with("prompts ") && line.ends_with(" 200")));
    assert!(foretold.contains("endpoint           mock: 200 prompts"), "{foretold}");
    let listed = house.cli.run("job ls --json", &[]).await.exits(0).json();
    assert_eq!(listed, json!([]), "nothing is stored");

    let job = house.cli.run("job submit", &[&file]).await.exits(0).stdout.trim().to_owned();
    house.service.wait_for(&job, WITHIN, |job| job["state"] == "paused").await;
    let shown = house.cli.run(&format!("job show {job}"), &[]).await.exits(0).stdout;
    assert!(shown.contains("of 1000 tokens are used"), "{shown}");
    house.cli.run(&format!("job resume {job}"), &[]).await.exits(1);
    house.cli.run(&format!("job set {job}"), &[]).await.exits(2);
    let set = house.cli.run(&format!("job set {job} --budget-tokens 0 --json"), &[]).await;
    assert_eq!(set.exits(0).json()["budget"], json!({"then": "pause"}));
    house.cli.run(&format!("job resume {job}"), &[]).await.exits(0);
    house.cli.run(&format!("job watch {job}"), &[]).await.exits(0);
    let shown = house.cli.run(&format!("job show {job}"), &[]).await.exits(0).stdout;
    assert!(shown.contains("endpoint           mock: 200 documents"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_says_so_and_can_be_retried() {
    let house = House::open(MockConfig::always_status(400)).await;
    let file = house.job_file(&small_job("mock", 6));
    let failed = house.cli.run("job submit --watch", &[&file]).await.exits(5);
    assert!(failed.stderr.contains("6 x http_400"), "{}", failed.stderr);
    let job = failed.stdout.lines().next().expect("an id").to_owned();
    let shown = house.cli.run(&format!("job show {job}"), &[]).await.exits(0).stdout;
    assert!(shown.contains("6 x http_400"), "{shown}");
    house.cli.run(&format!("job watch {job}"), &[]).await.exits(5);
    house.mock.behave(MockConfig::default());
    let retry = format!("job retry {job} --codes http_403,http_400 --json");
    assert_eq!(house.cli.run(&retry, &[]).await.exits(0).json()["requeued"], 6);
    house.cli.run(&format!("job watch {job}"), &[]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corpus_is_pulled_once_resumed_and_mended() {
    let house = House::open(MockConfig::default()).await;
    let job = house.service.submit(&small_job("mock", 30)).await;
    house.service.wait_for_end(&job, WITHIN).await;
    let out = house.directory.path().join("corpus");
    let pull = format!("corpus pull {job} -o");
    let pulled = house.cli.run(&pull, &[&out]).await.exits(0);
    assert!(pulled.stdout.starts_with("30 documents in "), "{}", pulled.stdout);
    assert_eq!(corpus::check(&out).await["rows"], 30);
    let all = house.bytes_sent().await;
    let shard = out.join("data/train-00000-of-00001.parquet");
    let whole = std::fs::read(&shard).expect("a shard");
    let manifest = std::fs::metadata(out.join("manifest.json")).expect("a manifest").len();
    assert!(all > whole.len() as u64 + manifest);

    // What is there is not fetched again; the manifest is, because it vouches for the rest.
    let again = house.cli.run(&format!("{pull} --json"), &[]).await;
    assert_eq!(again.code, 2, "-o needs a directory: {again:?}");
    let again = house.cli.run(&format!("--json {pull}"), &[&out]).await.exits(0).json();
    assert_eq!((&again["rows"], &again["partial"]), (&30.into(), &false.into()));
    assert_eq!(house.bytes_sent().await - all, manifest);

    // A download that stopped half way goes on there; one that stopped before its last step is only
    // given its name.
    for have in [whole.len() / 2, whole.len()] {
        let before = house.bytes_sent().await;
        std::fs::remove_file(&shard).expect("removing");
        std::fs::write(part(&shard), &whole[..have]).expect("writing");
        house.cli.run(&pull, &[&out]).await.exits(0);
        let sent = house.bytes_sent().await - before;
        assert_eq!(sent, (whole.len() - have) as u64 + manifest);
        assert_eq!(std::fs::read(&shard).expect("a shard"), whole);
        assert!(!part(&shard).exists());
    }
    // Damage is found by hash, in a finished file and in a part of one.
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    std::fs::write(&shard, &damaged).expect("writing");
    house.cli.run(&pull, &[&out]).await.exits(0);
    assert_eq!(std::fs::read(&shard).expect("a shard"), whole);
    std::fs::remove_file(&shard).expect("removing");
    std::fs::write(part(&shard), &damaged[..whole.len() - 7]).expect("writing");
    house.cli.run(&pull, &[&out]).await.exits(0);
    assert_eq!(std::fs::read(&shard).expect("a shard"), whole);

    // A shard of an earlier revision goes; a file of the user's own stays.
    let manifest = out.join("manifest.json");
    let mut earlier: Value =
        serde_json::from_slice(&std::fs::read(&manifest).expect("a manifest")).expect("JSON");
    let stale = "data/train-00001-of-00002.parquet";
    let files = earlier["content"]["files"].as_array_mut().expect("files");
    files.push(json!({"path": stale, "bytes": 1, "sha256": "", "rows": 1}));
    files.push(json!({"path": "../mine.txt", "bytes": 1, "sha256": ""}));
    std::fs::write(&manifest, earlier.to_string()).expect("writing");
    for file in [stale, "notes.txt", "../mine.txt"] {
        std::fs::write(out.join(file), b"x").expect("writing");
    }
    house.cli.run(&pull, &[&out]).await.exits(0);
    assert!(!out.join(stale).exists());
    assert!(out.join("notes.txt").exists() && out.join("../mine.txt").exists());

    house.cli.run(&format!("corpus pull {NO_JOB} -o"), &[&out]).await.exits(3);
}

fn part(file: &Path) -> PathBuf {
    file.with_extension("parquet.part")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoints_key_is_seen_nowhere() {
    let database = TestDatabase::create().await;
    let config = MockConfig { key: Some(ENDPOINT_KEY.to_owned()), ..MockConfig::default() };
    let mock = MockEndpoint::start(config.clone()).await;
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let service = Service::start_with(Options {
        database_url: Some(database.url.clone()),
        arguments: vec!["--no-local-engine".to_owned()],
        environment: vec![("HORNBOOK_LOG".to_owned(), "debug".to_owned())],
        log: Some(log.clone()),
        ..Options::default()
    })
    .await;
    let cli = Cli::at(&service.url);
    let key_file = directory.path().join("key");
    std::fs::write(&key_file, format!("{ENDPOINT_KEY}\n")).expect("writing");
    let add = format!(
        "endpoint add mock --base-url {} --model mock --in-flight 4 --requests-per-minute 6000 --api-key-file",
        mock.base_url()
    );
    let mut said = String::new();
    let added = cli.run(&add, &[&key_file]).await.exits(0);
    assert_eq!(added.stdout, "mock  ready\n");
    said.push_str(&cli.run("endpoint ls", &[]).await.exits(0).stdout);
    let listed = cli.run("endpoint ls --json", &[]).await.exits(0);
    assert!(listed.json().as_array().expect("a list").iter().any(|endpoint| {
        endpoint["name"] == "mock"
            && endpoint["has_api_key"] == true
            && endpoint["limits"]["requests_per_minute"] == 6000
    }));
    said.push_str(&listed.stdout);
    let tested = cli.run("endpoint test mock", &[]).await.exits(0);
    assert!(tested.stdout.starts_with("mock answered in "), "{}", tested.stdout);
    assert_eq!(cli.run("endpoint test mock --json", &[]).await.exits(0).json()["ok"], true);
    let job = service.submit(&small_job("mock", 8)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["counts"]["accepted"], 8, "{ended}");
    said.push_str(&ended.to_string());
    let out = directory.path().join("corpus");
    cli.run(&format!("corpus pull {job} -o"), &[&out]).await.exits(0);
    said.push_str(&std::fs::read_to_string(out.join("manifest.json")).expect("a manifest"));

    // Now the endpoint wants another key and shows the one it got, as some servers do.
    mock.behave(MockConfig { key: Some("another".to_owned()), ..config });
    let refused = cli.run("endpoint test mock", &[]).await.exits(1);
    assert!(refused.stderr.contains("http_401"), "{}", refused.stderr);
    said.push_str(&refused.stderr);
    let job = service.submit(&small_job("mock", 4)).await;
    service.wait_for(&job, WITHIN, |_| mock.requests() > 11).await;
    said.push_str(&service.get("/v1/endpoints/mock").await.1.to_string());
    said.push_str(&service.get(&format!("/v1/jobs/{job}")).await.1.to_string());
    said.push_str(&service.get(&format!("/v1/jobs/{job}/events")).await.1.to_string());
    assert!(!said.contains(ENDPOINT_KEY), "{said}");
    let log = std::fs::read_to_string(log).expect("the log");
    assert!(log.contains("DEBUG"), "debug lines are there to be looked at");
    assert!(!log.contains(ENDPOINT_KEY), "the log shows the endpoint's key");
    cli.run("endpoint test nowhere", &[]).await.exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_answer_fails_its_test() {
    let house = House::open(MockConfig::always_status(404)).await;
    let tested = house.cli.run("endpoint test mock", &[]).await.exits(1);
    assert!(tested.stderr.contains("mock did not answer"), "{}", tested.stderr);
    assert!(tested.stdout.is_empty());
}
