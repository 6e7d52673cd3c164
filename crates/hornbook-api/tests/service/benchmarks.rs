//! Benchmarks: stored whole or not at all, and pinned by what is submitted.

use serde_json::json;

use crate::app::TestApp;
use crate::fixtures::{catalog, job};

const NDJSON: &str = "application/x-ndjson";
const ITEMS: &str = "{\"item_id\": \"a/1\", \"text\": \"What is a pond?\"}\n\n{\"item_id\":2,\"text\":\"Why is ice cold?\", \"benchmark\": \"quiz\"}\n";

#[tokio::test]
async fn items_come_back_as_they_were_sent_and_versions_follow_them() {
    let app = TestApp::new().await;
    let put = async |body: &'static str| app.upload("/v1/benchmarks/quiz", NDJSON, body).await;
    let first = put(ITEMS).await;
    let view = first.expect(201);
    assert_eq!((&view["reference"], &view["items"]), (&json!("quiz@1"), &json!(2)));
    assert_eq!(first.header("etag"), "\"quiz@1\"");
    assert_eq!(put(ITEMS).await.expect(200)["version"], 1);
    let second = put("{\"item_id\":\"1\",\"text\":\"Another?\"}").await.expect(201);
    assert_eq!(second["reference"], "quiz@2");
    let items = app.get("/v1/benchmarks/quiz@1/items").await;
    let expected = "{\"item_id\":\"a/1\",\"text\":\"What is a pond?\"}\n{\"item_id\":\"2\",\"text\":\"Why is ice cold?\"}\n";
    assert_eq!(items.body, expected);
    let tag = items.header("etag");
    assert_eq!(tag, format!("\"{}\"", view["sha256"].as_str().unwrap()));
    app.get_with("/v1/benchmarks/quiz@1/items", &[("if-none-match", tag)]).await.expect(304);
    let tagged = [("if-none-match", "\"quiz@2\"")];
    app.get_with("/v1/benchmarks/quiz", &tagged).await.expect(304);
    let stale = [("if-match", "\"quiz@1\"")];
    let items = json!([{"item_id": "9", "text": "New"}]);
    app.json_with("PUT", "/v1/benchmarks/quiz", &stale, &items)
        .await
        .problem(412, "precondition_failed");
    let listed = app.get("/v1/benchmarks").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(listed["data"][0]["reference"], "quiz@2");
    app.get("/v1/benchmarks/none").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_bad_item_is_named_and_nothing_is_kept() {
    let app = TestApp::new().await;
    let good = "{\"item_id\": \"1\", \"text\": \"x\"}\n\n";
    for (line, expected) in [
        ("{\"item_id\": \"2\", \"text\": \" \\n\"}", "line 3: the item's text is empty"),
        ("{\"item_id\": \"1\", \"text\": \"y\"}", "line 3: item_id '1' is that of line 1 too"),
        ("{\"item_id\": \"\", \"text\": \"y\"}", "line 3: 'item_id' needs 1 to 256 bytes"),
        ("{\"text\": \"y\"}", "line 3: there is no 'item_id'"),
        ("{\"item_id\": \"2\"}", "line 3: there is no 'text'"),
        ("{\"item_id\": \"2\", \"text\": 3}", "line 3: 'text' is not a string"),
        ("{\"item_id\": \"2\", \"text\": \"y\", \"txt\": 1}", "line 3: unknown field 'txt'"),
        ("{\"item_id\": \"2\", \"text\": \"a\\u0000\"}", "line 3: U+0000"),
        ("{\"item_id\": ", "line 3: EOF while parsing"),
    ] {
        let reply = app.upload("/v1/benchmarks/quiz", NDJSON, format!("{good}{line}\n")).await;
        let problem = reply.problem(422, "bad_record");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(expected), "{detail}");
        assert_eq!((&problem["line"], &problem["record"]), (&json!(3), &json!(1)));
    }
    let csv = "item_id,text\n1,a\n1,b\n";
    let problem =
        app.upload("/v1/benchmarks/quiz", "text/csv", csv).await.problem(422, "bad_record");
    assert_eq!(problem["detail"], "record 2: item_id '1' is that of record 1 too");
    app.upload("/v1/benchmarks/quiz", NDJSON, "\n").await.problem(422, "bad_records");
    app.upload("/v1/benchmarks/Quiz", NDJSON, good).await.problem(422, "invalid_name");
    app.upload("/v1/benchmarks/quiz", "text/plain", good)
        .await
        .problem(415, "unsupported_media_type");
    app.get("/v1/benchmarks/quiz").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_job_pins_the_benchmarks_that_it_is_kept_clean_of() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let mut body = job(3);
    body["assembly"] = json!({"decontaminate": ["quiz", "none"]});
    for path in ["/v1/jobs", "/v1/jobs?dry_run=true"] {
        let problem = app.json("POST", path, &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/assembly/decontaminate/0");
        assert_eq!(problem["errors"][1]["detail"], "there is no benchmark 'none'");
    }
    let old = app.upload("/v1/benchmarks/quiz", NDJSON, ITEMS).await.expect(201);
    body["assembly"] = json!({"dedup": "near", "decontaminate": ["quiz", "quiz@1"]});
    let submitted = app.json("POST", "/v1/jobs", &body).await.expect(201);
    let id = submitted["id"].as_str().unwrap();
    app.upload("/v1/benchmarks/quiz", NDJSON, "{\"item_id\":1,\"text\":\"z\"}").await.expect(201);
    let spec = hornbook_db::jobs::spec(app.db(), id.parse().unwrap()).await.unwrap();
    assert_eq!(spec.assembly.decontaminate, ["quiz@1"]);
    assert_eq!(spec.assembly.benchmarks["quiz@1"], old["sha256"].as_str().unwrap());

    let again = format!("/v1/jobs/{id}/corpus");
    let wrong = json!({"assembly": {"decontaminate": ["none"]}});
    let problem = app.json("POST", &again, &wrong).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/assembly/decontaminate/0");
    let forged = json!({"assembly": {"benchmarks": {"quiz@1": "ab"}}});
    let problem = app.json("POST", &again, &forged).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/assembly/benchmarks");
    let right = json!({"assembly": {"decontaminate": ["quiz"]}});
    app.json("POST", &again, &right).await.expect(202);
}
