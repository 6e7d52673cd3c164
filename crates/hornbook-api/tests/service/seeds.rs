//! Seed sets: every format, all of a file or nothing of it.

use axum::body::Body;
use futures_util::stream;
use serde_json::{Value, json};

use crate::app::TestApp;

const NDJSON: &str = "application/x-ndjson";

#[tokio::test]
async fn every_text_format_gives_the_same_records() {
    let app = TestApp::new().await;
    let uploads = [
        ("a", NDJSON, "{\"topic\":\"ponds\",\"n\":\"1\"}\n{\"topic\":\"stars\",\"n\":\"2\"}\n"),
        (
            "b",
            "application/json",
            "[{\"topic\":\"ponds\",\"n\":\"1\"},{\"topic\":\"stars\",\"n\":\"2\"}]",
        ),
        ("c", "text/csv; charset=utf-8", "topic,n\nponds,1\nstars,2\n"),
    ];
    for (name, kind, body) in uploads {
        let reply = app
            .upload(&format!("/v1/seed-sets/{name}?license=CC0-1.0&source=us"), kind, body)
            .await;
        let view = reply.expect(201);
        assert_eq!((view["count"].as_u64(), view["version"].as_u64()), (Some(2), Some(1)));
        assert_eq!((&view["license"], &view["source"]), (&json!("CC0-1.0"), &json!("us")));
        assert_eq!(view["fields"], json!({"n": 2, "topic": 2}));
        let set = app.get(&format!("/v1/seed-sets/{name}")).await.expect(200);
        assert_eq!(set["sample"][1]["data"]["topic"], "stars", "{name}");
    }
    assert_eq!(app.get("/v1/seed-sets").await.expect(200)["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_bad_record_names_its_line_and_nothing_is_kept() {
    let app = TestApp::new().await;
    let mut lines: Vec<String> = (0..2_500).map(|n| format!("{{\"topic\":\"t{n}\"}}")).collect();
    lines[2_222] = "{\"topic\": oops}".to_owned();
    let reply = app.upload("/v1/seed-sets/big", NDJSON, lines.join("\n")).await;
    let problem = reply.problem(422, "bad_record");
    assert_eq!((problem["line"].as_u64(), problem["record"].as_u64()), (Some(2_223), Some(2_222)));
    assert_eq!(problem["errors"][0]["pointer"], "/2222");
    for (kind, body) in [
        (NDJSON, "{\"a\":\"\\u0000\"}"),
        (NDJSON, "[1]"),
        (NDJSON, "\"text\""),
        ("application/json", "[{\"a\":1},"),
        ("application/json", "{}"),
        ("text/csv", "a,b\n1,2,3\n"),
        ("application/vnd.apache.parquet", "PAR1 but not really"),
    ] {
        app.upload("/v1/seed-sets/big", kind, body).await.problem(422, "bad_record");
    }
    for empty in ["", "\n\n"] {
        app.upload("/v1/seed-sets/big", NDJSON, empty).await.problem(422, "bad_records");
    }
    app.get("/v1/seed-sets/big").await.problem(404, "not_found");
    assert_eq!(app.test.number("SELECT count(*) FROM seeds").await, 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_keeps_nothing() {
    let app = TestApp::new().await;
    let pieces: [Result<&str, std::io::Error>; 2] =
        [Ok("{\"topic\":\"ponds\"}\n"), Err(std::io::Error::other("cable"))];
    let body = Body::from_stream(stream::iter(pieces));
    app.upload("/v1/seed-sets/cut", NDJSON, body).await.problem(400, "incomplete_body");
    app.get("/v1/seed-sets/cut").await.problem(404, "not_found");
}

#[tokio::test]
async fn versions_follow_content_and_licence() {
    let app = TestApp::new().await;
    let put = async |query: &str, body: &'static str| {
        app.upload(&format!("/v1/seed-sets/s{query}"), NDJSON, body).await
    };
    assert_eq!(put("", "{\"a\":1}").await.expect(201)["license"], "unknown");
    assert_eq!(put("", "{\"a\":1}").await.expect(200)["version"], 1);
    assert_eq!(put("", "{\"a\":2}").await.expect(201)["version"], 2);
    assert_eq!(put("?license=MIT", "{\"a\":2}").await.expect(201)["version"], 3);
    put("?licence=MIT", "{}").await.problem(400, "invalid_query");
    put("?license=", "{}").await.problem(400, "invalid_query");
    let stale = [("if-match", "\"s@1\""), ("content-type", NDJSON)];
    let reply = app.json_with("PUT", "/v1/seed-sets/s", &stale[..1], &json!([{"a": 9}])).await;
    reply.problem(412, "precondition_failed");
    let current = [("if-match", "\"s@3\"")];
    app.json_with("PUT", "/v1/seed-sets/s", &current, &json!([{"a": 9}])).await.expect(201);
    let reply = app.json_with("PUT", "/v1/seed-sets/t", &current, &json!([{"a": 9}])).await;
    reply.problem(412, "precondition_failed");
}

#[tokio::test]
async fn records_are_read_by_pages_of_one_version() {
    let app = TestApp::new().await;
    let records =
        |tag: &str| -> Value { (0..5).map(|n| json!({"topic": format!("{tag}{n}")})).collect() };
    app.json("PUT", "/v1/seed-sets/s", &records("old")).await.expect(201);
    let first = app.get("/v1/seed-sets/s/seeds?limit=2").await.expect(200);
    // A new version in the middle does not mix into what is being read.
    app.json("PUT", "/v1/seed-sets/s", &records("new")).await.expect(201);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/seed-sets/s/seeds?cursor={cursor}")).await.expect(200);
    let topics: Vec<&str> = rest["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["data"]["topic"].as_str())
        .collect();
    assert_eq!(topics, ["old2", "old3", "old4"]);
    assert_eq!((&rest["data"][0]["seq"], &rest["next_cursor"]), (&json!(2), &json!(null)));
    app.get("/v1/seed-sets/none/seeds").await.problem(404, "not_found");
}
