//! Every way a request can be wrong is a problem with its own code.

use axum::body::Body;
use serde_json::json;

use crate::app::{TestApp, ask};
use crate::fixtures::{audience, catalog, job};

#[tokio::test]
async fn paths_methods_and_media_types() {
    let app = TestApp::new().await;
    app.get("/v1/nothing").await.problem(404, "not_found");
    for absent in ["/v1/benchmarks/x", "/v1/nowhere", "/v1/imports/x"] {
        app.get(absent).await.problem(404, "not_found");
    }
    let reply = app.delete("/v1/jobs").await;
    reply.problem(405, "method_not_allowed");
    assert!(reply.header("allow").contains("POST"), "{reply:?}");
    let text = ask("POST", "/v1/jobs").header("content-type", "text/plain");
    app.send(text.body(Body::from("{}")).unwrap()).await.problem(415, "unsupported_media_type");
    app.send(ask("POST", "/v1/jobs").body(Body::from("{}")).unwrap())
        .await
        .problem(415, "unsupported_media_type");
    let charset =
        ask("PUT", "/v1/audiences/a").header("content-type", "Application/JSON; charset=utf-8");
    let body = Body::from(audience("A").to_string());
    app.send(charset.body(body).unwrap()).await.expect(201);
    let reply = app.upload("/v1/seed-sets/s", "text/html", "<p>").await;
    let problem = reply.problem(415, "unsupported_media_type");
    assert!(problem["accepted"].as_array().unwrap().len() >= 4, "{problem}");
}

#[tokio::test]
async fn bodies() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let post = |body: String| {
        ask("POST", "/v1/jobs")
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap()
    };
    let problem = app.send(post("{\n \"name\": }".to_owned())).await.problem(400, "invalid_json");
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(2), Some(10)));
    app.send(post("[".repeat(100_000))).await.problem(400, "invalid_json");
    app.send(post(String::new())).await.problem(400, "invalid_json");
    let large = format!("\"{}\"", "x".repeat(3 * 1024 * 1024));
    let problem = app.send(post(large)).await.problem(413, "body_too_large");
    assert_eq!(problem["limit_bytes"], 2 * 1024 * 1024);

    let pointer = async |change: &dyn Fn(&mut serde_json::Value)| {
        let mut body = job(3);
        change(&mut body);
        let problem = app.json("POST", "/v1/jobs", &body).await.problem(422, "invalid");
        problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(pointer(&|job| job["surprise"] = json!(1)).await, "/surprise");
    assert_eq!(pointer(&|job| job["recipe"][0]["shares"] = json!(1)).await, "/recipe/0/shares");
    assert_eq!(pointer(&|job| job["name"] = json!("a\0b")).await, "/name");
    assert_eq!(pointer(&|job| job["metadata"] = json!({"k": "\0"})).await, "/metadata/k");
    assert_eq!(pointer(&|job| job["documents"] = json!("3")).await, "/documents");
    assert_eq!(pointer(&|job| job["documents"] = json!(0)).await, "/documents");
    assert_eq!(
        pointer(&|job| job["recipe"][0]["template"] = json!("No!")).await,
        "/recipe/0/template"
    );
    assert_eq!(pointer(&|job| job["sampling"] = json!({"seed": 42})).await, "/sampling/seed");
}

#[tokio::test]
async fn queries() {
    let app = TestApp::new().await;
    for bad in [
        "/v1/jobs?limit=0",
        "/v1/jobs?limit=201",
        "/v1/jobs?limit=x",
        "/v1/jobs?surprise=1",
        "/v1/jobs?cursor=%25%25",
        "/v1/jobs?cursor=bm9uc2Vuc2U",
        "/v1/jobs?state=asleep",
        "/v1/templates?q=a%00b",
    ] {
        app.get(bad).await.problem(400, "invalid_query");
    }
    app.get("/v1/jobs/not-an-id").await.problem(404, "not_found");
    app.get("/v1/templates/..%2f..%2fetc").await.problem(404, "not_found");
    app.get("/v1/templates/a%00b").await.problem(404, "not_found");
    app.get("/v1/templates/%ff").await.problem(400, "bad_request");
    app.json("PUT", "/v1/audiences/Bad_Name", &audience("A")).await.problem(422, "invalid_name");
}

#[tokio::test]
async fn every_reply_has_an_id_and_is_hardened() {
    let app = TestApp::new().await;
    for path in ["/healthz", "/v1/jobs", "/v1/nothing", "/"] {
        let reply = app.get(path).await;
        assert!(reply.header("x-request-id").len() >= 32, "{path}: {reply:?}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            reply.header("content-security-policy").starts_with("default-src 'none'"),
            "{path}"
        );
    }
    let reply = app.get_with("/v1/nothing", &[("x-request-id", "mine-1")]).await;
    assert_eq!(reply.problem(404, "not_found")["request_id"], "mine-1");
    for bad in ["a b", "x\"y", &"x".repeat(200)] {
        let reply = app.get_with("/healthz", &[("x-request-id", bad)]).await;
        assert_ne!(reply.header("x-request-id"), bad);
    }
}

#[tokio::test]
async fn only_known_hosts_are_answered() {
    let app = TestApp::with(|config| config.allowed_hosts = vec!["books.example".to_owned()]).await;
    for good in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "books.example:443"] {
        app.get_with("/healthz", &[("host", good)]).await.expect(200);
    }
    for bad in ["evil.example", "127.0.0.1.evil.example:8080", "10.1.2.3"] {
        app.get_with("/healthz", &[("host", bad)]).await.problem(421, "host_not_allowed");
    }
    app.get_with("http://evil.example/healthz", &[]).await.problem(421, "host_not_allowed");
    app.get_with("/healthz", &[("host", "a b")]).await.problem(400, "invalid_host");
}

#[tokio::test]
async fn writes_from_other_sites_are_refused() {
    let app = TestApp::new().await;
    let own: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "http://localhost")],
        &[("origin", "https://localhost"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ];
    for headers in own {
        let reply = app.json_with("PUT", "/v1/audiences/a", headers, &json!({})).await;
        reply.problem(422, "invalid");
    }
    let foreign: &[&[(&str, &str)]] = &[
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost:9999")],
        &[("origin", "http://localhost"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    for headers in foreign {
        let reply = app.json_with("PUT", "/v1/audiences/a", headers, &json!({})).await;
        reply.problem(403, "cross_site");
        app.get_with("/v1/audiences", headers).await.expect(200);
    }
}

#[tokio::test]
async fn a_lost_database_is_not_ready() {
    let app = TestApp::new().await;
    app.get("/readyz").await.expect(200);
    app.state.db.close().await;
    let reply = app.get("/readyz").await;
    reply.problem(503, "unavailable");
    assert!(!reply.header("retry-after").is_empty());
    app.get("/healthz").await.expect(200);
}
