//! Corpora mixed from several jobs, through the front door.

use std::path::Path;
use std::time::Duration;

use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::python::script;
use hornbook_tests::service::Service;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(120);

/// A job whose documents are all for one audience.
fn job(name: &str, audience: &str, documents: u64) -> Value {
    json!({
        "name": name,
        "seeds": "starter-curriculum",
        "recipe": [{"template": "story", "audience": audience}],
        "documents": documents,
        "sampling": {"max_tokens": 400, "seed": "42"},
        "endpoints": ["mock"],
        "gates": {"preset": "none"},
    })
}

/// Two jobs that have ended: so many documents for toddlers and for college.
async fn two_jobs(
    service: &Service,
    mock: &MockEndpoint,
    toddler: u64,
    college: u64,
) -> [String; 2] {
    service.add_endpoint("mock", &mock.base_url(), 16).await;
    let jobs = [
        service.submit(&job("Small Pond", "toddler", toddler)).await,
        service.submit(&job("Deep Sea", "college", college)).await,
    ];
    for job in &jobs {
        let ended = service.wait_for_end(job, WITHIN).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
    jobs
}

async fn create(service: &Service, spec: &Value) -> String {
    let (status, corpus) = service.post("/v1/corpora", spec).await;
    assert_eq!(status, 201, "{corpus}");
    corpus["id"].as_str().expect("an id").to_owned()
}

/// Waits until the corpus is in a state that `done` takes.
async fn wait_for(service: &Service, id: &str, done: impl Fn(&str) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + WITHIN;
    loop {
        let (status, corpus) = service.get(&format!("/v1/corpora/{id}")).await;
        if status == 200 && done(corpus["state"].as_str().unwrap_or_default()) {
            return corpus;
        }
        assert!(tokio::time::Instant::now() < deadline, "the corpus stands still: {corpus}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn ready(service: &Service, id: &str) -> Value {
    let corpus = wait_for(service, id, |state| matches!(state, "ready" | "failed")).await;
    assert_eq!(corpus["state"], "ready", "{corpus}");
    corpus["corpus"].clone()
}

/// Rows and tokens of a pulled corpus, by audience.
async fn shares(directory: &Path) -> Value {
    let ran = tokio::process::Command::new(environment::python())
        .arg(script("corpus_shares.py"))
        .arg(directory)
        .arg("audience")
        .output()
        .await
        .expect("running the reader");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("the reader's answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_are_mixed_and_pulled_by_the_command_line() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let service = Service::start(&database).await;
    let [toddler, college] = two_jobs(&service, &mock, 30, 20).await;
    let cli = Cli::at(&service.url);
    let directory = tempfile::tempdir().expect("a directory");
    let spec = directory.path().join("corpus.json");
    let mix = json!({"name": "both", "sources": [{"job": toddler}, {"job": college}]});
    std::fs::write(&spec, mix.to_string()).expect("writing");
    let made = cli.run("--json corpus create --wait", &[&spec]).await.exits(0).json();
    assert_eq!((&made["state"], &made["corpus"]["rows"]), (&json!("ready"), &json!(50)), "{made}");
    let names: Vec<&Value> =
        made["sources"].as_array().expect("sources").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["small-pond", "deep-sea"]);
    let id = made["id"].as_str().expect("an id");
    let listed = cli.run("corpus ls", &[]).await.exits(0).stdout;
    assert!(listed.contains(id) && listed.contains("ready"), "{listed}");
    let shown = cli.run(&format!("corpus show corpora/{id}"), &[]).await.exits(0).stdout;
    assert!(
        shown.contains("small-pond: job") && shown.contains("rows               50"),
        "{shown}"
    );

    let out = directory.path().join("pulled");
    cli.run(&format!("corpus pull corpora/{id} -o"), &[&out]).await.exits(0);
    let read = shares(&out).await;
    assert_eq!((&read["toddler"]["rows"], &read["college"]["rows"]), (&json!(30), &json!(20)));
    let none = "01900000-0000-7000-8000-000000000000";
    cli.run(&format!("corpus show {none}"), &[]).await.exits(3);
    cli.run(&format!("corpus pull corpora/{none} -o"), &[&out]).await.exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_mix_is_the_same_commit_on_another_service_and_after_kills() {
    let mut commits = Vec::new();
    for kills in [0, 3] {
        let database = TestDatabase::create().await;
        let mock = MockEndpoint::start(MockConfig::default()).await;
        let mut service = Service::start(&database).await;
        let [toddler, college] = two_jobs(&service, &mock, 400, 300).await;
        let spec = json!({"name": "both", "sources": [{"job": toddler}, {"job": college}]});
        let id = create(&service, &spec).await;
        for kill in 0..kills {
            // As soon as a worker has it: whatever it was at, the next one goes on.
            let seen = wait_for(&service, &id, |state| state != "queued").await;
            if seen["state"] != "assembling" {
                assert!(kill > 0, "it was ready before the first kill: {seen}");
                break;
            }
            service.kill().await;
            service.restart().await;
        }
        let corpus = ready(&service, &id).await;
        assert_eq!(corpus["rows"], 700, "{corpus}");
        commits.push(corpus["commit"].clone());
    }
    assert_eq!(commits[0], commits[1]);
}
