//! Settings, keys, and everything about the command line that is not one resource's.

use std::net::SocketAddr;
use std::path::Path;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use hornbook_tests::cli::Cli;
use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::service::Service;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_what_their_scopes_say_until_they_are_revoked() {
    let database = TestDatabase::create().await;
    let service = Service::start(&database).await;
    let directory = tempfile::tempdir().expect("a directory");
    let at_home = Cli::default().with("DATABASE_URL", &database.url);
    let data_dir = service.data_dir();
    let cli = Cli::at(&service.url);
    cli.run("job ls", &[]).await.exits(0);

    let create = "key create --name laptop --scopes read,write --data-dir";
    let writer = at_home.run(create, &[data_dir]).await.exits(0).stdout;
    let writer_file = directory.path().join("writer");
    std::fs::write(&writer_file, &writer).expect("writing");
    let reader = at_home
        .run("--json key create --running-jobs 2 --tokens-per-day 9000 --data-dir", &[data_dir])
        .await
        .exits(0)
        .json();
    let reader_key = reader["key"].as_str().expect("a key");

    // The first key closes the service to whoever has none.
    let refused = cli.run("job ls", &[]).await.exits(4);
    assert!(refused.stderr.contains("--key-file"), "{}", refused.stderr);
    cli.clone().with("HORNBOOK_KEY", "hb_0123_wrong").run("job ls", &[]).await.exits(4);
    cli.clone().key_file(&writer_file).run("job ls", &[]).await.exits(0);
    let with_reader = cli.clone().with("HORNBOOK_KEY", reader_key);
    with_reader.run("job ls", &[]).await.exits(0);
    let topics = directory.path().join("topics.csv");
    std::fs::write(&topics, "topic\ntides\n").expect("writing");
    let push = "seeds push mine --license CC0-1.0";
    let refused = with_reader.run(push, &[&topics]).await.exits(4);
    assert!(refused.stderr.contains("write"), "{}", refused.stderr);
    cli.clone().key_file(&writer_file).run(push, &[&topics]).await.exits(0);
    cli.clone().key_file(&writer_file).run("endpoint test local", &[]).await.exits(4);

    let listed = at_home.run("key ls --data-dir", &[data_dir]).await.exits(0).stdout;
    assert!(listed.contains("laptop") && listed.contains("read,write"), "{listed}");
    let secret = writer.trim().rsplit_once('_').expect("a secret").1;
    assert!(!listed.contains(secret));
    let id = reader["id"].as_str().expect("an id");
    let revoke = format!("key revoke {id} --data-dir");
    at_home.run(&revoke, &[data_dir]).await.exits(0);
    with_reader.run("job ls", &[]).await.exits(4);
    let listed = at_home.run("--json key ls --data-dir", &[data_dir]).await.exits(0).json();
    let state = |wanted: &str| {
        let mut keys = listed.as_array().expect("a list").iter();
        keys.find(|key| key["id"] == wanted).expect("the key")["state"].clone()
    };
    assert_eq!(state(id), "revoked");
    let mut keys = listed.as_array().expect("a list").iter();
    let quota = &keys.find(|key| key["id"] == id).expect("the key")["quota"];
    assert_eq!(*quota, serde_json::json!({"running_jobs": 2, "tokens_per_day": 9000}));
    assert!(!listed.to_string().contains(secret));
    at_home.run("key revoke nobodys --data-dir", &[data_dir]).await.exits(3);
    let bad_scope = "key create --scopes everything --data-dir";
    at_home.run(bad_scope, &[data_dir]).await.exits(2);
    let no_quota =
        at_home.run("key create --running-jobs 0 --data-dir", &[data_dir]).await.exits(2);
    assert!(no_quota.stderr.contains("--running-jobs needs 1"), "{}", no_quota.stderr);
    let again = format!("--json key revoke {id} --data-dir");
    assert_eq!(at_home.run(&again, &[data_dir]).await.exits(0).json()["state"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_named_and_nothing_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("writing");
        path
    };
    let serve = "serve --listen 127.0.0.1:0 --no-local-engine --config";
    let cases = [
        ("unknown.toml", "lissten = \"127.0.0.1:0\"\n", "lissten"),
        ("wrong.toml", "workers = \"many\"\n", "workers"),
        ("broken.toml", "workers = \n", "broken.toml"),
    ];
    for (name, content, said) in cases {
        let ran = Cli::default().run(serve, &[&file(name, content)]).await.exits(2);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let missing = directory.path().join("nowhere.toml");
    Cli::default().run(serve, &[&missing]).await.exits(2);

    // A database that was named but cannot be read must not be replaced by a private one.
    let nowhere = directory.path().join("nowhere");
    let data_dir = directory.path().join("data");
    let lost = Cli::default().with("DATABASE_URL_FILE", &nowhere);
    let ran = lost.run("serve --data-dir", &[&data_dir]).await.exits(2);
    assert!(ran.stderr.contains("DATABASE_URL_FILE"), "{}", ran.stderr);
    assert!(!data_dir.exists());

    // A password in the URL is not shown when there is no such database.
    let mut url = url::Url::parse(&environment::database_url()).expect("a URL");
    url.set_password(Some("hunter2")).expect("a URL with a password");
    url.set_path("no_such_database");
    let lost = Cli::default().with("DATABASE_URL", url.as_str());
    let ran = lost.run("migrate --data-dir", &[&data_dir]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("DATABASE_URL") && !ran.stderr.contains("hunter2"),
        "{}",
        ran.stderr
    );

    for wrong in ["", "job", "job frobnicate", "corpus pull", "--url : job ls", "serve --listen x"]
    {
        Cli::default().run(wrong, &[]).await.exits(2);
    }
    let quiet = Cli::default().with("HORNBOOK_LOG", "a=b=c").run("openapi", &[]).await.exits(2);
    assert!(quiet.stderr.contains("HORNBOOK_LOG"), "{}", quiet.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_service_works_without_one() {
    let script = Cli::default().run("completions bash", &[]).await.exits(0).stdout;
    let script_file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(script_file.path(), &script).expect("writing");
    let parsed = tokio::process::Command::new("bash").arg("-n").arg(script_file.path()).status();
    assert!(parsed.await.expect("running bash").success());
    assert!(script.contains("quickstart"), "every command is completed");
    let document = Cli::default().run("openapi", &[]).await.exits(0).json();
    assert_eq!(document["openapi"], "3.1.0");
    let unreachable = Cli::at("http://127.0.0.1:1").run("job ls", &[]).await.exits(1);
    assert!(unreachable.stderr.contains("hornbook serve"), "{}", unreachable.stderr);
    Cli::at("http://127.0.0.1:1").run("healthcheck", &[]).await.exits(1);
    let directory = tempfile::tempdir().expect("a directory");
    let models = Cli::default().run("--json model ls --data-dir", &[directory.path()]).await;
    assert_eq!(models.exits(0).json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulled_model_is_the_one_that_serve_looks_for() {
    let file = || async { "this is no model" };
    let hub = axum::Router::new().route("/{owner}/{name}/resolve/main/{file}", get(file));
    let hub = impostor(hub).await;
    let database = TestDatabase::create().await;
    let mut service = Service::start_with(hornbook_tests::service::Options {
        database_url: Some(database.url.clone()),
        ..Default::default()
    })
    .await;
    let local = service.get("/v1/endpoints/local").await.1;
    assert!(local["message"].as_str().expect("a message").contains("hornbook model pull"));
    let pull = format!("--json model pull --endpoint {hub} --data-dir");
    let pulled = Cli::default().run(&pull, &[service.data_dir()]).await.exits(0).json();
    let models = Cli::default().run("--json model ls --data-dir", &[service.data_dir()]).await;
    let models = models.exits(0).json();
    let name = models[0]["file"].as_str().expect("a file");
    assert!(pulled["file"].as_str().is_some_and(|path| path.ends_with(name)), "{pulled} {models}");
    // Found, read and refused: it lies where the service looks.
    service.kill().await;
    service.restart().await;
    let local = service.get("/v1/endpoints/local").await.1;
    assert!(local["message"].as_str().is_some_and(|text| text.contains("GGUF")), "{local}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_service_is_healthy_and_flags_of_containers_are_understood() {
    let database = TestDatabase::create().await;
    let service = Service::start_with(hornbook_tests::service::Options {
        database_url: Some(database.url.clone()),
        environment: [
            ("HORNBOOK_NO_LOCAL_ENGINE", "true"),
            ("HORNBOOK_ALLOWED_HOSTS", "books.example,other.example"),
            ("HORNBOOK_ALLOWED_NETWORKS", ""),
            ("HORNBOOK_CORPUS_STORE", ""),
            ("HORNBOOK_WORKERS", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        ..Default::default()
    })
    .await;
    Cli::at(&service.url).run("healthcheck", &[]).await.exits(0);
    for (host, status) in [("books.example", 200), ("evil.example", 421)] {
        let asked = service.http.get(format!("{}/healthz", service.url)).header("host", host);
        assert_eq!(asked.send().await.expect("asking").status().as_u16(), status, "{host}");
    }
    assert!(service.data_dir().join("corpora").is_dir(), "an empty store is the default one");
}

/// A service that is not what it should be.
async fn impostor(app: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("the port");
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_command_says_when_to_come_back() {
    let busy = || async {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().expect("a value"));
        (StatusCode::TOO_MANY_REQUESTS, headers, Json(json!({"detail": "slow down"})))
    };
    let url = impostor(axum::Router::new().route("/v1/jobs", get(busy))).await;
    let ran = Cli::at(&url).run("job ls", &[]).await.exits(75);
    assert!(ran.stderr.contains("slow down") && ran.stderr.contains("7 s"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_cannot_write_outside_the_directory_or_to_the_terminal() {
    let corpus = || async {
        Json(json!({"commit": "0", "rows": 1, "partial": false,
            "files": [{"path": "../escaped", "bytes": 1, "sha256": "00"}]}))
    };
    let hidden = || async {
        Json(json!({"commit": "0", "files": [{"path": ".bashrc", "bytes": 1, "sha256": "00"}]}))
    };
    let endless = || async {
        Json(json!({"commit": "0", "files": [{"path": "README.md", "bytes": 10, "sha256": "00"}]}))
    };
    let jobs = || async {
        Json(
            json!({"data": [{"id": "x", "state": "\u{1b}[2Jgone", "counts": {}, "name": "a\u{7}b"}],
            "next_cursor": null}),
        )
    };
    let refusal =
        || async { (StatusCode::CONFLICT, Json(json!({"detail": "\u{1b}]0;owned\u{7}"}))) };
    let app = axum::Router::new()
        .route("/v1/jobs/evil/corpus", get(corpus))
        .route("/v1/jobs/hidden/corpus", get(hidden))
        .route("/v1/jobs/endless/corpus", get(endless))
        .route("/v1/jobs/endless/corpus/files/README.md", get(|| async { "x".repeat(100_000) }))
        .route("/v1/jobs", get(jobs))
        .route("/v1/jobs/rude", get(refusal));
    let cli = Cli::at(&impostor(app).await);
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("out");
    let ran = cli.run("corpus pull evil -o", &[Path::new(&out)]).await.exits(1);
    assert!(ran.stderr.contains("outside the corpus"), "{}", ran.stderr);
    assert!(!directory.path().join("escaped").exists());
    let ran = cli.run("corpus pull hidden -o", &[Path::new(&out)]).await.exits(1);
    assert!(ran.stderr.contains("outside the corpus"), "{}", ran.stderr);
    let ran = cli.run("corpus pull endless -o", &[Path::new(&out)]).await.exits(1);
    assert!(ran.stderr.contains("more than its 10 bytes"), "{}", ran.stderr);
    let kept = std::fs::metadata(out.join("README.md.part")).expect("what was begun");
    assert_eq!(kept.len(), 0);
    let listed = cli.run("job ls", &[]).await.exits(0).stdout;
    assert!(!listed.contains(['\u{1b}', '\u{7}']), "{listed:?}");
    let refused = cli.run("job show rude", &[]).await.exits(1).stderr;
    assert!(!refused.contains(['\u{1b}', '\u{7}']), "{refused:?}");
}
