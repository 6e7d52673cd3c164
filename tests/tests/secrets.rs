//! An endpoint's key, when the endpoint shows it around: it gets into no log, no message, no row and no reply.

use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{Fault, MockConfig, MockEndpoint};
use hornbook_tests::service::{Options, Service};
use serde_json::json;
use sqlx::AssertSqlSafe;

/// The key, told from everything else.
const KEY: &str = "sk-shown-around-0123456789abcdef";
/// Longest time for a job.
const WITHIN: Duration = Duration::from_secs(90);

/// Every table that has the key in some row, in the clear.
async fn tables_with_the_key(database: &TestDatabase) -> Vec<String> {
    let mut connection = database.connect().await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut connection)
            .await
            .expect("the tables");
    assert!(tables.len() > 15, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let query = format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{KEY}%'");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut connection)
            .await
            .expect("looking into a table");
        if rows > 0 {
            found.push(format!("{table}: {rows} rows"));
        }
    }
    found
}

async fn assert_hidden(service: &Service, path: &str) -> String {
    let reply = service.http.get(format!("{}{path}", service.url)).send().await.expect("a reply");
    let text = reply.text().await.expect("a text");
    assert!(!text.contains(KEY), "GET {path}: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_an_endpoint_shows_around_is_seen_nowhere() {
    let config = MockConfig {
        for_good: vec![
            (300, Fault::TellsKey),
            (150, Fault::ErrorTellsKey(400)),
            (100, Fault::ErrorTellsKey(500)),
        ],
        faults: vec![(100, Fault::ErrorTellsKey(429))],
        ..MockConfig::default()
    };
    let mock = MockEndpoint::start(config).await;
    let database = TestDatabase::create().await;
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
    let endpoint = json!({
        "kind": "openai", "base_url": mock.base_url(), "model": "mock", "api_key": KEY,
        "limits": {"in_flight": 8}, "options": {"attempts": 2},
    });
    let (status, answer) = service.put("/v1/endpoints/teller", &endpoint).await;
    assert_eq!(status, 201, "{answer}");
    assert!(!answer.to_string().contains(KEY), "{answer}");
    let job = service.submit(&small_job("teller", 80)).await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert!(ended["counts"]["failed"].as_u64() > Some(10), "{ended}");
    assert!(ended["counts"]["accepted"].as_u64() > Some(30), "{ended}");

    // An endpoint that takes nobody says so with the key as well; it is paused, and tells people why.
    mock.behave(MockConfig { always: Some(Fault::ErrorTellsKey(401)), ..MockConfig::default() });
    let (_, tried) = service.post("/v1/endpoints/teller/test", &json!({})).await;
    assert_eq!(tried["ok"], false, "{tried}");
    assert!(!tried.to_string().contains(KEY), "{tried}");
    let next = service.submit(&small_job("teller", 4)).await;
    loop {
        let (_, endpoint) = service.get("/v1/endpoints/teller").await;
        if endpoint["state"] == "paused" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let documents = assert_hidden(&service, &format!("/v1/jobs/{job}/documents?limit=200")).await;
    assert!(documents.contains("[key]"), "it was shown, and withheld: {documents}");
    for path in ["", "/events", "/stats", "/corpus", "/corpus/files/README.md"] {
        assert_hidden(&service, &format!("/v1/jobs/{job}{path}")).await;
    }
    for path in [
        "/v1/jobs",
        "/v1/endpoints",
        "/v1/endpoints/teller",
        "/metrics",
        &format!("/v1/jobs/{next}"),
    ] {
        assert_hidden(&service, path).await;
    }
    assert_eq!(tables_with_the_key(&database).await, Vec::<String>::new());
    let log = std::fs::read_to_string(log).expect("the log");
    assert!(log.contains("DEBUG"), "nothing much is logged: {log}");
    let told: Vec<&str> = log.lines().filter(|line| line.contains(KEY)).collect();
    assert!(told.is_empty(), "{told:?}");
}
