//! The Hub's own clients read our corpora: `HF_ENDPOINT` is all that they are told.
//!
//! Every test runs the current clients; `--full` runs all scenarios, and the older clients too.

use std::path::PathBuf;
use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::hub::HubClient;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(60);
const ROWS: u64 = 60;

/// A service with a job that waits.
struct Scene {
    service: Service,
    job: String,
    _mock: MockEndpoint,
    _database: TestDatabase,
}

impl Scene {
    async fn with_waiting_job() -> Self {
        let database = TestDatabase::create().await;
        let mock = MockEndpoint::start(MockConfig::default()).await;
        let service = Service::start_with(Options {
            database_url: Some(database.url.clone()),
            arguments: vec!["--no-local-engine".to_owned()],
            ..Options::default()
        })
        .await;
        service.add_endpoint("mock", &mock.base_url(), 8).await;
        service.post("/v1/endpoints/mock/pause", &json!({})).await;
        let job = service.submit(&small_job("mock", ROWS)).await;
        Self { service, job, _mock: mock, _database: database }
    }

    async fn finish(&self) {
        self.service.post("/v1/endpoints/mock/resume", &json!({})).await;
        let ended = self.service.wait_for_end(&self.job, WITHIN).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }

    fn repo(&self) -> String {
        format!("jobs/{}", self.job)
    }

    /// The job's corpus as the service itself tells of it.
    async fn corpus(&self) -> Value {
        let (status, corpus) = self.service.get(&format!("/v1/jobs/{}/corpus", self.job)).await;
        assert_eq!(status, 200, "{corpus}");
        corpus
    }

    async fn run(&self, client: &HubClient, scenarios: &str) -> Value {
        client.run(&self.service.url, &self.repo(), scenarios).await
    }
}

/// One set of clients.
#[derive(Clone)]
struct Pair {
    python: PathBuf,
    is_current: bool,
}

/// The sets of clients to test: the current one, and under `--full` an older one.
fn pairs() -> Vec<Pair> {
    let mut pairs = vec![Pair { python: environment::python(), is_current: true }];
    if environment::full() {
        pairs.push(Pair { python: environment::python_of_old_clients(), is_current: false });
    }
    pairs
}

/// Every file of the corpus with its hash, as clients should have them.
fn hashes(corpus: &Value) -> Value {
    let files = corpus["files"].as_array().expect("files").iter();
    files
        .map(|file| (file["path"].as_str().expect("a path").to_owned(), file["sha256"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_clients_read_a_corpus() {
    for Pair { python, .. } in pairs() {
        let scene = Scene::with_waiting_job().await;
        let client = HubClient::new(python);

        // Before there is anything: the message is printed where it can be, and nothing is left behind.
        let before = scene.run(&client, "versions cli load_fails snapshot_fails").await;
        assert_ne!(before["cli"]["code"], 0, "{before}");
        let said = before["cli"]["said"].as_str().expect("words");
        assert!(said.contains("no corpus yet; 0 of 60 prompts"), "{said}");
        assert_eq!(before["cli"]["files"], json!({}), "{before}");
        assert!(before["load_fails"]["error"].is_string(), "{before}");
        assert!(before["snapshot_fails"]["error"].is_string(), "{before}");

        scene.finish().await;
        let corpus = scene.corpus().await;
        let after = scene
            .run(&client, "load pinned streaming snapshot cli polars pandas pandas_hf pages")
            .await;
        let digest = &after["load"]["digest"];
        assert_eq!(digest.as_str().map(str::len), Some(64), "{after}");
        let rows = json!({"train": corpus["rows"]});
        for reader in ["load", "pinned", "streaming", "polars", "pandas", "pandas_hf"] {
            assert_eq!(after[reader]["digest"], *digest, "{reader}: {after}");
            assert_eq!(after[reader]["rows"], rows, "{reader}: {after}");
        }
        assert_eq!(after["polars"]["lazily"], corpus["rows"], "{after}");
        assert_eq!(after["pinned"]["commit"], corpus["commit"], "{after}");
        assert_eq!(after["load"]["columns"][0], "prompt", "{after}");
        for reader in ["snapshot", "cli"] {
            assert_eq!(after[reader]["files"], hashes(&corpus), "{reader}: {after}");
        }
        let paths = &after["pages"]["at_once"];
        assert_eq!(after["pages"]["one_by_one"], *paths, "{after}");
        assert!(paths.as_array().expect("paths").contains(&json!("data")), "{after}");
        assert_eq!(after["pages"]["commit"], corpus["commit"], "{after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_and_sent() {
    let scene = Scene::with_waiting_job().await;
    scene.finish().await;
    let (status, key) =
        scene.service.post("/v1/keys", &json!({"name": "reader", "scopes": ["read"]})).await;
    assert_eq!(status, 201, "{key}");
    let key = key["key"].as_str().expect("a secret").to_owned();
    for Pair { python, .. } in pairs() {
        let stranger = HubClient::new(python.clone());
        let refused = scene.run(&stranger, "snapshot_fails cli").await;
        assert_eq!(refused["snapshot_fails"]["error"], "RepositoryNotFoundError", "{refused}");
        assert_ne!(refused["cli"]["code"], 0, "{refused}");
        assert_eq!(refused["cli"]["files"], json!({}), "{refused}");
        if environment::full() {
            let refused = scene.run(&stranger, "load_fails").await;
            assert_eq!(refused["load_fails"]["error"], "DatasetNotFoundError", "{refused}");
        }
        let scenarios =
            if environment::full() { "load streaming snapshot cli" } else { "snapshot" };
        let reader = HubClient::new(python).with_token(&key);
        let read = scene.run(&reader, scenarios).await;
        assert_eq!(read["snapshot"]["files"].as_object().map(|files| files.len() > 2), Some(true));
        assert!(!read.to_string().contains(&key), "no client prints the token");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_body_is_gone_on_with() {
    if !environment::full() {
        return;
    }
    let scene = Scene::with_waiting_job().await;
    scene.finish().await;
    let corpus = hashes(&scene.corpus().await);
    for Pair { python, is_current } in pairs() {
        let client = HubClient::new(python);
        let seen = scene.run(&client, "load proxy resumed cut_load cut_streaming").await;
        let path = seen["resumed"]["path"].as_str().expect("a path");
        assert_eq!(seen["resumed"]["sha256"], corpus[path], "{seen}");
        for reader in ["resumed", "cut_load", "cut_streaming"] {
            assert_eq!(seen[reader]["cut"], json!([3000]), "{reader}: {seen}");
            // Older clients give up, and go on when they are asked again.
            assert!(!is_current || seen[reader]["calls"] == 1, "{reader}: {seen}");
        }
        let ranges = seen["resumed"]["ranges"].as_array().expect("ranges");
        let last = ranges.last().and_then(Value::as_str).expect("a range");
        assert!(last.starts_with("bytes=") && last != "bytes=0-", "{seen}");
        for reader in ["cut_load", "cut_streaming"] {
            assert_eq!(seen[reader]["digest"], seen["load"]["digest"], "{reader}: {seen}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_service_is_waited_for() {
    if !environment::full() {
        return;
    }
    let scene = Scene::with_waiting_job().await;
    scene.finish().await;
    for Pair { python, is_current } in pairs() {
        let client = HubClient::new(python);
        let seen = scene.run(&client, "load proxy busy_snapshot busy_load busy_streaming").await;
        for reader in ["busy_snapshot", "busy_load", "busy_streaming"] {
            assert!(seen[reader]["refused"].as_u64() > Some(0), "{reader}: {seen}");
            // Only the older clients' streaming knows no 429.
            let gives_up = !is_current && reader == "busy_streaming";
            assert_eq!(seen[reader]["error"].is_null(), !gives_up, "{reader}: {seen}");
            // Asked to wait a second each time; the older clients wait as they think fit.
            let waited = seen[reader]["waited_seconds"].as_f64().expect("a number");
            assert!(!is_current || waited > 2.0, "{reader}: {seen}");
        }
    }
}
