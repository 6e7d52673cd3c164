//! Jobs: submitted whole or not at all, watched, steered and read.

use hornbook_db::idempotency;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::fixtures::{catalog, job, run_all, submitted};

#[tokio::test]
async fn a_job_is_pinned_when_it_is_submitted() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let reply = app.json("POST", "/v1/jobs", &job(7)).await;
    let view = reply.expect(201);
    let id: Uuid = view["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(reply.header("location"), format!("/v1/jobs/{id}"));
    assert_eq!((&view["state"], &view["counts"]["total"]), (&json!("queued"), &json!(7)));
    assert_eq!(view["allowed"], json!(["pause", "cancel"]));
    assert_eq!(view["spec"]["seed_set"], "topics@1");
    assert_eq!(view["spec"]["lines"][0]["template"], "story@1");
    assert_eq!(view["spec"]["sampling"]["seed"], "0");
    assert_eq!(view["weight"], 1.0);
    let mut heavy = job(1);
    heavy["weight"] = json!(2.5);
    assert_eq!(app.json("POST", "/v1/jobs", &heavy).await.expect(201)["weight"], 2.5);
    for bad in [0.0, -1.0, 1_000.5] {
        heavy["weight"] = json!(bad);
        let problem = app.json("POST", "/v1/jobs", &heavy).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/weight", "{bad}");
    }
    let mut every = job(1);
    every.as_object_mut().unwrap().remove("documents");
    let view = app.json("POST", "/v1/jobs", &every).await.expect(201);
    assert_eq!(view["counts"]["total"], 3, "every seed once");
}

#[tokio::test]
async fn every_wrong_name_is_pointed_to() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let body = json!({
        "name": "x", "seeds": "nothing@2", "documents": 3, "endpoints": ["echo", "nobody"],
        "recipe": [
            {"template": "story", "audience": "nobody"},
            {"template": "story@9", "audience": "toddler@1"}
        ]
    });
    let problem = app.json("POST", "/v1/jobs", &body).await.problem(422, "invalid");
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["pointer"].as_str())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/endpoints/1", "/recipe/0/audience", "/recipe/1/template", "/seeds"]);

    let title = json!({"format": "story", "body": "{{ seed.title }}"});
    app.json("PUT", "/v1/templates/titled", &title).await.expect(201);
    let mut body = job(3);
    body["recipe"][0]["template"] = json!("titled");
    let problem = app.json("POST", "/v1/jobs", &body).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/recipe/0/template");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("title"), "{problem}");
    assert_eq!(app.test.number("SELECT count(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn what_is_not_built_is_refused_by_name() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let changes: [(&str, Value, &str); 1] =
        [("seeds", json!({"job": "01900000-0000-7000-8000-000000000000"}), "/seeds/job")];
    for (field, value, pointer) in changes {
        let mut body = job(3);
        body[field] = value;
        let problem = app.json("POST", "/v1/jobs", &body).await.problem(422, "not_supported");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn the_same_request_again_makes_no_second_job() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let send = async |key: &str, documents: u64| {
        app.json_with("POST", "/v1/jobs", &[("idempotency-key", key)], &job(documents)).await
    };
    let first = send("k1", 3).await;
    let again = send("k1", 3).await;
    assert_eq!(again.expect(201), first.expect(201));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(app.test.number("SELECT count(*) FROM jobs").await, 1);
    send("k1", 4).await.problem(422, "idempotency_key_reused");
    // A refused request used nothing up: mended, it goes through under the same key.
    send("k2", 0).await.problem(422, "invalid");
    send("k2", 3).await.expect(201);
    send("", 3).await.problem(400, "invalid_idempotency_key");
    send(&"k".repeat(256), 3).await.problem(400, "invalid_idempotency_key");
    // One that has not been answered yet.
    let body = job(3).to_string();
    let mut digest = sha2::Sha256::default();
    sha2::Digest::update(&mut digest, [0]);
    sha2::Digest::update(&mut digest, body.as_bytes());
    let digest = sha2::Digest::finalize(digest).into();
    idempotency::begin(app.db(), "local POST /v1/jobs", "k3", &digest).await.unwrap();
    let reply = send("k3", 3).await;
    reply.problem(409, "request_in_progress");
    assert_eq!(reply.header("retry-after"), "1");
}

#[tokio::test]
async fn a_job_is_steered_within_its_states() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    let act = async |verb: &str| app.post(&format!("/v1/jobs/{id}/{verb}")).await;
    assert_eq!(act("pause").await.expect(200)["state"], "paused");
    assert_eq!(act("pause").await.expect(200)["state"], "paused");
    assert_eq!(act("resume").await.expect(200)["state"], "queued");
    let problem = act("retry").await.problem(409, "invalid_transition");
    assert_eq!(
        (&problem["state"], &problem["allowed"]),
        (&json!("queued"), &json!(["pause", "cancel"]))
    );
    app.delete(&format!("/v1/jobs/{id}")).await.problem(409, "invalid_transition");
    run_all(&app).await;
    crate::fixtures::publish(&app, id, b"data").await;
    let view = app.get(&format!("/v1/jobs/{id}")).await.expect(200);
    assert_eq!(view["state"], "succeeded_with_errors", "{view}");
    assert_eq!(
        view["counts"],
        json!({"total": 6, "accepted": 3, "rejected": 2, "failed": 1, "running": 0,
            "skipped": 0, "surplus": 0})
    );
    assert_eq!(view["usage"]["completion_tokens"], 60);
    assert_eq!(
        view["errors"],
        json!([{"code": "http_500", "message": "the endpoint failed", "count": 1}])
    );
    assert!(view["finished_at"].is_string() && view["eta_seconds"].is_null());
    act("pause").await.problem(409, "invalid_transition");

    let retry = async |body: Value| app.json("POST", &format!("/v1/jobs/{id}/retry"), &body).await;
    retry(json!({"codes": []})).await.problem(422, "invalid");
    assert_eq!(retry(json!({"codes": ["other"]})).await.expect(200)["requeued"], 0);
    let retried = retry(json!({"codes": ["http_500"]})).await.expect(200);
    assert_eq!((&retried["requeued"], &retried["state"]), (&json!(1), &json!("running")));
    assert_eq!(act("cancel").await.expect(200)["state"], "cancelled");
    app.delete(&format!("/v1/jobs/{id}")).await.expect(204);
    app.get(&format!("/v1/jobs/{id}")).await.problem(404, "not_found");
    act("pause").await.problem(404, "not_found");
}

#[tokio::test]
async fn jobs_are_listed_newest_first() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(submitted(&app, 3).await.to_string());
    }
    app.post(&format!("/v1/jobs/{}/pause", ids[1])).await.expect(200);
    let first = app.get("/v1/jobs?limit=2").await.expect(200);
    assert!(first["data"][0].get("spec").is_none(), "lists are short");
    // A job that arrives meanwhile does not push others onto a page twice.
    submitted(&app, 3).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/jobs?limit=2&cursor={cursor}")).await.expect(200);
    let seen: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .filter_map(|job| job["id"].as_str())
        .collect();
    let mut newest_first: Vec<&str> = ids.iter().map(String::as_str).collect();
    newest_first.reverse();
    // Ids of one millisecond are not ordered among themselves.
    let mut sorted = newest_first.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(seen, sorted);
    let paused = app.get("/v1/jobs?state=paused").await.expect(200);
    assert_eq!(paused["data"].as_array().unwrap().len(), 1);
    assert_eq!(paused["data"][0]["id"], json!(ids[1]));
}

#[tokio::test]
async fn documents_are_read_by_pages_and_filters() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 40).await;
    run_all(&app).await;
    let (mut seen, mut path) = (Vec::new(), format!("/v1/jobs/{id}/documents?limit=7"));
    loop {
        let page = app.get(&path).await.expect(200);
        seen.extend(page["data"].as_array().unwrap().iter().filter_map(|d| d["seq"].as_u64()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/jobs/{id}/documents?limit=7&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
    let count = async |query: &str| {
        let page = app.get(&format!("/v1/jobs/{id}/documents?limit=200&{query}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(count("verdict=accepted").await, 20);
    assert_eq!(count("verdict=failed&reason=http_500").await, 6);
    assert_eq!(count("audience=toddler&format=story").await, 40);
    assert_eq!(count("audience=college").await, 0);
    let one = app.get(&format!("/v1/jobs/{id}/documents/5")).await;
    let document = one.expect(200);
    assert_eq!((&document["verdict"], &document["reason"]), (&json!("failed"), &json!("http_500")));
    assert_eq!(document["sampling_seed"], json!((u64::MAX - 5).to_string()));
    let known = [("if-none-match", one.header("etag"))];
    app.get_with(&format!("/v1/jobs/{id}/documents/5"), &known).await.expect(304);
    for absent in ["40", "x", "-1"] {
        app.get(&format!("/v1/jobs/{id}/documents/{absent}")).await.problem(404, "not_found");
    }
    let stats = app.get(&format!("/v1/jobs/{id}/stats")).await.expect(200);
    assert_eq!(stats["rejected"], json!({"too_short": 14}));
    assert_eq!(stats["errors"][0]["count"], 6);
    assert_eq!(stats["cells"].as_array().unwrap().len(), 3);
    let nobody = Uuid::from_u128(3);
    for part in ["documents", "stats", "events", "corpus"] {
        app.get(&format!("/v1/jobs/{nobody}/{part}")).await.problem(404, "not_found");
    }
}
