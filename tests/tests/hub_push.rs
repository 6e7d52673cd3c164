//! Pushing a corpus: against a stand-in for the Hub that huggingface_hub itself takes for one.

use std::path::Path;
use std::time::Duration;

use hornbook_tests::cli::{Cli, Ran};
use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::hub::{HubClient, HubStandIn};
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::Service;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(60);
/// Small enough that shards go in several parts.
const PART_BYTES: u64 = 4_000;
const WHOLE: u64 = 1 << 30;
const EXTRA: &[u8] = b"PAR1 more PAR1";
/// From `sha256sum`.
const EXTRA_SHA256: &str = "a1cf8c218be6acdfe296435aad660ebf79acf2f2e147327f8af677abd9d073f4";

/// A corpus on disk, made by the command line from so many texts.
async fn corpus(root: &Path, name: &str, texts: u64) -> std::path::PathBuf {
    let source = root.join(format!("{name}.jsonl"));
    let lines = (0..texts).map(|n| {
        let text: String = (0..40).map(|word| format!("w{}", n * 7919 + word * 104_729)).collect();
        format!("{}\n", json!({ "id": format!("{name}-{n}"), "text": text }))
    });
    std::fs::write(&source, lines.collect::<String>()).expect("writing a source");
    let out = root.join(name);
    let build = "corpus build --source";
    let paths = [source.as_path(), Path::new("--out"), out.as_path()];
    Cli::default().run(build, &paths).await.exits(0);
    out
}

async fn push(hub: &HubStandIn, cli: &Cli, corpus: &str, to: &str) -> Ran {
    let cli = cli.clone().with("HF_TOKEN", HubStandIn::TOKEN).with("HORNBOOK_LOG", "trace");
    let ran =
        cli.run(&format!("--json corpus push {corpus} {to} --endpoint {}", hub.url), &[]).await;
    let all = format!("{} {}", ran.stdout, ran.stderr);
    assert!(!all.contains(HubStandIn::TOKEN), "the token is shown: {all}");
    ran
}

/// What the manifest of a corpus on disk names, and the manifest, with their hashes.
fn named(corpus: &Path) -> Vec<(String, String)> {
    let text = std::fs::read(corpus.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&text).expect("JSON");
    let files = manifest["content"]["files"].as_array().expect("files").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    files.map(|file| (text(&file["path"]), text(&file["sha256"]))).collect()
}

#[track_caller]
fn holds(branch: &Value, corpus: &Path) {
    let files = branch["files"].as_object().expect("files");
    let named = named(corpus);
    for (path, sha256) in &named {
        assert_eq!(files[path], **sha256, "{path}");
    }
    // The manifest beside what it names, and what the repository began with.
    assert_eq!(files.len(), named.len() + 2, "{files:?}");
}

fn uploads(state: &Value) -> usize {
    let asked = state["asked"].as_array().expect("requests").iter();
    let uploads = asked.filter(|asked| asked["method"] == "PUT");
    uploads
        .inspect(|upload| assert_eq!(upload["token"], false, "no token to where bytes lie"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corpus_is_pushed_in_one_commit_and_not_sent_twice() {
    let root = tempfile::tempdir().expect("a directory");
    let corpus = corpus(root.path(), "one", 60).await;
    let place = corpus.display().to_string();
    let hub = HubStandIn::start(PART_BYTES).await;
    let cli = Cli::default();
    let pushed = push(&hub, &cli, &place, "org/books --private").await.exits(0).json();
    assert_eq!((&pushed["changed"], &pushed["deleted_files"]), (&json!(true), &json!(0)));
    let state = hub.state().await;
    let repo = &state["repos"]["org/books"];
    assert_eq!((&repo["private"], &repo["commits"]), (&json!(true), &json!(2)), "{repo}");
    assert_eq!(repo["branches"]["main"]["commit"], pushed["commit"]);
    holds(&repo["branches"]["main"], &corpus);
    let sent = uploads(&state);
    assert!(sent > 2, "in parts: {sent}");

    let again = push(&hub, &cli, &place, "org/books").await.exits(0).json();
    assert_eq!(again["commit"], pushed["commit"]);
    assert_eq!((&again["changed"], &again["sent_bytes"]), (&json!(false), &json!(0)));
    let state = hub.state().await;
    assert_eq!((uploads(&state), &state["repos"]["org/books"]["commits"]), (sent, &json!(2)));

    // On another branch nothing is sent either, but there is a commit.
    let branch = push(&hub, &cli, &place, "org/books --revision v1").await.exits(0).json();
    assert_eq!(branch["changed"], false, "the branch begins where main is");
    let elsewhere = push(&hub, &cli, &place, "org/more --revision v1").await.exits(0).json();
    assert_eq!(elsewhere["changed"], true);
    let state = hub.state().await;
    assert_eq!(uploads(&state), sent, "large files are known by their hash");
    holds(&state["repos"]["org/more"]["branches"]["v1"], &corpus);
    assert_eq!(
        state["repos"]["org/more"]["branches"]["main"]["files"].as_object().map(|f| f.len()),
        Some(1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_broke_off_goes_on() {
    let root = tempfile::tempdir().expect("a directory");
    let corpus = corpus(root.path(), "one", 60).await;
    let place = corpus.display().to_string();
    let hub = HubStandIn::start(WHOLE).await;
    let cli = Cli::default();
    // What passes by itself is tried again: a failure of the server's, a broken connection.
    hub.misbehave(&json!({"put": [500, 503], "cut_put": 3})).await;
    push(&hub, &cli, &place, "org/books").await.exits(0);
    holds(&hub.state().await["repos"]["org/books"]["branches"]["main"], &corpus);

    let hub = HubStandIn::start(WHOLE).await;
    hub.misbehave(&json!({"put": [200, 403]})).await;
    let failed = push(&hub, &cli, &place, "org/books").await;
    // One went through before the other was refused.
    let files = named(&corpus).len();
    let state = hub.state().await;
    let there = state["objects"].as_u64().expect("a number");
    assert_eq!((failed.code, there), (4, 1), "{files} files; {}", failed.stderr);
    assert_eq!(state["repos"]["org/books"]["commits"], 1, "nothing is half there");
    let before = uploads(&state);
    let pushed = push(&hub, &cli, &place, "org/books").await.exits(0).json();
    let state = hub.state().await;
    assert_eq!(uploads(&state), before + 1, "{pushed}");
    holds(&state["repos"]["org/books"]["branches"]["main"], &corpus);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_corpus_takes_the_place_of_the_old_one_and_leaves_others_files() {
    let root = tempfile::tempdir().expect("a directory");
    let first = corpus(root.path(), "first", 60).await;
    let second = corpus(root.path(), "second", 30).await;
    let hub = HubStandIn::start(WHOLE).await;
    let cli = Cli::default();
    // A shard that only the first corpus has, as a longer one would.
    let extra = "data/train-00001-of-00002.parquet";
    std::fs::write(first.join(extra), EXTRA).expect("writing");
    let manifest = first.join("manifest.json");
    let text = std::fs::read(&manifest).expect("a manifest");
    let mut value: Value = serde_json::from_slice(&text).expect("JSON");
    let more = json!({"path": extra, "bytes": 14, "sha256": "0".repeat(64)});
    let files = value["content"]["files"].as_array_mut().expect("files");
    files.push(more);
    std::fs::write(&manifest, value.to_string()).expect("writing");
    let refused = push(&hub, &cli, &first.display().to_string(), "org/books").await.exits(1);
    assert!(refused.stderr.contains("not the file that the manifest names"), "{}", refused.stderr);
    assert_eq!(hub.state().await["repos"], json!({}), "refused before anything is made");

    let files = value["content"]["files"].as_array_mut().expect("files");
    files.last_mut().expect("a file")["sha256"] = EXTRA_SHA256.into();
    std::fs::write(&manifest, value.to_string()).expect("writing");
    push(&hub, &cli, &first.display().to_string(), "org/books").await.exits(0);
    let branch = hub.state().await["repos"]["org/books"]["branches"]["main"].clone();
    assert_eq!(branch["files"][extra], EXTRA_SHA256, "{branch}");
    // Somebody adds a file of their own, by their own client.
    let own = root.path().join("own");
    std::fs::create_dir(&own).expect("a directory");
    std::fs::write(own.join("NOTES.txt"), b"mine").expect("writing");
    let client = HubClient::new(environment::python());
    upload(&hub, &client, &own, "org/books").await;

    let pushed = push(&hub, &cli, &second.display().to_string(), "org/books").await.exits(0).json();
    let branch = hub.state().await["repos"]["org/books"]["branches"]["main"].clone();
    assert!(branch["files"].get("NOTES.txt").is_some(), "{branch}");
    assert_eq!(branch["files"].get(extra), None, "{branch}");
    assert_eq!((&branch["commit"], &pushed["deleted_files"]), (&pushed["commit"], &json!(1)));
}

async fn upload(hub: &HubStandIn, client: &HubClient, folder: &Path, repo: &str) -> Value {
    let given = json!({
        "endpoint": hub.url, "repo": repo, "folder": folder, "out": client.home(),
        "token": HubStandIn::TOKEN, "private": false,
    });
    client.script("hub_upload.py", &[], &given).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_is_one_for_the_real_client_too() {
    let root = tempfile::tempdir().expect("a directory");
    let corpus = corpus(root.path(), "one", 60).await;
    let mut pythons = vec![environment::python()];
    if environment::full() {
        pythons.push(environment::python_of_old_clients());
    }
    for python in pythons {
        for part_bytes in [PART_BYTES, WHOLE] {
            let hub = HubStandIn::start(part_bytes).await;
            let client = HubClient::new(python.clone());
            let theirs = upload(&hub, &client, &corpus, "org/theirs").await;
            let place = corpus.display().to_string();
            push(&hub, &Cli::default(), &place, "org/ours").await.exits(0);
            let state = hub.state().await;
            let branch = |repo: &str| state["repos"][repo]["branches"]["main"].clone();
            assert_eq!(branch("org/theirs")["commit"], theirs["commit"]);
            assert_eq!(branch("org/theirs")["files"], theirs["files"]);
            assert_eq!(branch("org/ours")["files"], theirs["files"], "both push the same");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_pushed_from_the_service() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::default()).await;
    let service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), 16).await;
    let hub = HubStandIn::start(PART_BYTES).await;
    let cli = Cli::at(&service.url);
    let job = service.submit(&small_job("mock", 30)).await;
    service.wait_for_end(&job, WITHIN).await;
    push(&hub, &cli, &job, "org/books").await.exits(0);
    let (_, corpus) = service.get(&format!("/v1/jobs/{job}/corpus")).await;
    let state = hub.state().await;
    let files = &state["repos"]["org/books"]["branches"]["main"]["files"];
    for file in corpus["files"].as_array().expect("files") {
        assert_eq!(files[file["path"].as_str().expect("a path")], file["sha256"], "{files}");
    }
    let nobody = "01900000-0000-7000-8000-000000000000";
    push(&hub, &cli, nobody, "org/books").await.exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_pushed_is_said_in_a_line() {
    let root = tempfile::tempdir().expect("a directory");
    let hub = HubStandIn::start(WHOLE).await;
    let cli = Cli::default();
    let empty = root.path().display().to_string();
    let said = push(&hub, &cli, &empty, "org/books").await.exits(1);
    assert!(said.stderr.contains("holds no corpus: there is no manifest.json"), "{}", said.stderr);
    let corpus = corpus(root.path(), "one", 10).await.display().to_string();
    push(&hub, &cli, &corpus, "books").await.exits(2);
    push(&hub, &cli, &corpus, "org/books --revision ../x").await.exits(2);
    let forbidden = push(&hub, &cli, &corpus, "forbidden/books").await.exits(4);
    assert!(forbidden.stderr.contains("You don't have the rights"), "{}", forbidden.stderr);
    let to_hub = format!("corpus push {corpus} org/books --endpoint {}", hub.url);
    let keyless = cli.run(&to_hub, &[]).await.exits(4);
    assert!(keyless.stderr.contains("HF_TOKEN is not set"), "{}", keyless.stderr);
    let wrong = cli.clone().with("HF_TOKEN", "hf_wrong_token").run(&to_hub, &[]).await.exits(4);
    assert!(!wrong.stderr.contains("hf_wrong_token"), "{}", wrong.stderr);
    let open = format!("corpus push {corpus} org/books --endpoint http://hub.example");
    cli.with("HF_TOKEN", "hf_x").run(&open, &[]).await.exits(2);
    assert_eq!(hub.state().await["repos"], json!({}));
}
