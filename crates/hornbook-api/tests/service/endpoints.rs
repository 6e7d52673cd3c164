//! Endpoints: keys go in and never come out.

use serde_json::json;

use crate::app::TestApp;
use crate::fixtures::{catalog, endpoint, job, submitted};

#[tokio::test]
async fn a_key_goes_in_and_never_comes_out() {
    let app = TestApp::new().await;
    endpoint(&app, "echo").await;
    let reply = app.get("/v1/endpoints/echo").await;
    assert_eq!(reply.expect(200)["has_api_key"], true);
    let list = app.get("/v1/endpoints").await;
    for reply in [&reply, &list] {
        assert!(!String::from_utf8_lossy(&reply.body).contains("sk-secret"));
    }
    let put = async |body: serde_json::Value| {
        app.json("PUT", "/v1/endpoints/echo", &body).await.expect(200)["has_api_key"].clone()
    };
    let spec = |url: &str| json!({"kind": "openai", "base_url": url, "model": "m2"});
    assert_eq!(put(spec("http://127.0.0.1:9/v1")).await, true, "the same server keeps it");
    assert_eq!(put(spec("http://127.0.0.1:10/v1")).await, false, "another port loses it");
    let mut with_key = spec("http://127.0.0.1:10/v1");
    with_key["api_key"] = json!("sk-other");
    assert_eq!(put(with_key.clone()).await, true);
    with_key["api_key"] = json!(null);
    assert_eq!(put(with_key).await, false, "null removes it");
}

#[tokio::test]
async fn a_bad_configuration_is_told_field_by_field() {
    let app = TestApp::new().await;
    let bad = json!({
        "kind": "openai", "base_url": "http://user:s3same@127.0.0.1/v1", "model": "",
        "limits": {"in_flight": 0}, "api_key": "line\nbreak"
    });
    let problem = app.json("PUT", "/v1/endpoints/x", &bad).await.problem(422, "invalid");
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["pointer"].as_str())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/api_key", "/base_url", "/limits/in_flight", "/model"]);
    assert!(!problem.to_string().contains("s3same"), "{problem}");
    let local = json!({"kind": "local"});
    app.json("PUT", "/v1/endpoints/other", &local).await.problem(422, "invalid");
    app.json("PUT", "/v1/endpoints/local", &local).await.expect(201);
    app.delete("/v1/endpoints/local").await.problem(409, "built_in");
}

#[tokio::test]
async fn an_endpoint_can_be_paused_tested_and_removed() {
    let app = TestApp::new().await;
    catalog(&app).await;
    for name in ["broken", "lost"] {
        endpoint(&app, name).await;
    }
    assert_eq!(app.post("/v1/endpoints/echo/pause").await.expect(200)["state"], "paused");
    assert_eq!(app.post("/v1/endpoints/echo/resume").await.expect(200)["state"], "ready");
    let test = async |name: &str| app.post(&format!("/v1/endpoints/{name}/test")).await;
    let good = test("echo").await.expect(200);
    assert_eq!((&good["ok"], &good["answer"]["model"]), (&json!(true), &json!("echo-1")));
    let bad = test("broken").await.expect(200);
    assert_eq!((&bad["ok"], &bad["error"]["code"]), (&json!(false), &json!("http_401")));
    assert_eq!(test("lost").await.expect(200)["error"]["code"], "unavailable");
    test("absent").await.problem(404, "not_found");

    let id = submitted(&app, 3).await;
    app.delete("/v1/endpoints/echo").await.problem(409, "in_use");
    app.post(&format!("/v1/jobs/{id}/cancel")).await.expect(200);
    app.delete("/v1/endpoints/echo").await.expect(204);
    app.delete("/v1/endpoints/echo").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_preset_says_the_rest() {
    let app = TestApp::new().await;
    let put = async |body: serde_json::Value| app.json("PUT", "/v1/endpoints/x", &body).await;
    let made = put(json!({"preset": "vllm", "model": "m"})).await.expect(201);
    assert_eq!((&made["kind"], &made["preset"]), (&json!("openai"), &json!("vllm")));
    assert_eq!(made["base_url"], "http://127.0.0.1:8000/v1");
    let claude = put(json!({"preset": "anthropic", "model": "m"})).await.expect(200);
    assert_eq!(claude["kind"], "anthropic");
    assert_eq!(claude["base_url"], "https://api.anthropic.com/v1");
    let batch = json!({"preset": "openai", "kind": "openai_batch", "model": "m"});
    assert_eq!(put(batch).await.expect(200)["kind"], "openai_batch");
    let own = json!({"preset": "vllm", "base_url": "http://box:9/v1", "model": "m"});
    assert_eq!(put(own).await.expect(200)["base_url"], "http://box:9/v1");
    assert_eq!(app.get("/v1/endpoints/x").await.expect(200)["preset"], "vllm");
    let plain = json!({"kind": "openai", "base_url": "http://box:9/v1", "model": "m"});
    assert_eq!(put(plain).await.expect(200)["preset"], json!(null));
    for (bad, pointer) in [
        (json!({"model": "m"}), "/kind"),
        (json!({"preset": "vllm", "kind": "anthropic", "model": "m"}), "/preset"),
        (json!({"kind": "openai", "model": "m"}), "/base_url"),
        (json!({"preset": "openai"}), "/model"),
    ] {
        let problem = put(bad).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test]
async fn a_schema_is_asked_only_of_who_can_keep_to_it() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let able = json!({"preset": "vllm", "model": "m"});
    app.json("PUT", "/v1/endpoints/able", &able).await.expect(201);
    let submit = async |endpoints: serde_json::Value, name: &str| {
        let mut spec = job(2);
        spec["endpoints"] = endpoints;
        spec["sampling"] = json!({"response_format": {
            "type": "json_schema", "json_schema": {"name": name, "schema": {"type": "object"}}
        }});
        app.json("POST", "/v1/jobs", &spec).await
    };
    let made = submit(json!(["able"]), "quiz").await.expect(201);
    let format = &made["spec"]["sampling"]["response_format"];
    assert_eq!(format["json_schema"]["name"], "quiz", "{made}");
    let problem = submit(json!(["able", "echo"]), "quiz").await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/endpoints/1", "{problem}");
    let problem = submit(json!(["able"]), "two words").await.problem(422, "invalid");
    let at = "/sampling/response_format/json_schema/name";
    assert_eq!(problem["errors"][0]["pointer"], at, "{problem}");
}

#[tokio::test]
async fn metrics_say_how_endpoints_stand() {
    let app = TestApp::new().await;
    let text = String::from_utf8(app.get("/metrics").await.body.to_vec()).unwrap();
    for line in [
        "# TYPE hornbook_endpoint_window gauge",
        "hornbook_endpoint_window{endpoint=\"cluster\",worker=\"1\"} 8",
        "hornbook_endpoint_in_flight{endpoint=\"cluster\",worker=\"1\"} 2",
        "hornbook_endpoint_up{endpoint=\"cluster\",worker=\"1\"} 1",
        "# TYPE hornbook_endpoint_requests_total counter",
        "hornbook_endpoint_requests_total{endpoint=\"cluster\",worker=\"1\"} 2",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
}
