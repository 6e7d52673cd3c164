//! What a job may cost, what it would cost, and how many accepted documents it asks for.

use hornbook_db::budgets::{self, Amount, Slice};
use hornbook_db::{chunks, jobs};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::fixtures::{catalog, job, run_all, submitted};

fn quota(accepted: u64, extra: &Value) -> Value {
    let mut body = job(1);
    body.as_object_mut().unwrap().remove("documents");
    body["accepted"] = json!(accepted);
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_quota_of_accepted_documents_is_pinned_and_told() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let view = app.json("POST", "/v1/jobs", &quota(5, &json!({}))).await.expect(201);
    assert_eq!(view["counts"]["total"], 15, "three candidates each");
    assert_eq!(view["quota"], json!({"wanted": 5, "met": 0}));
    let pinned = json!({"accepted": 5, "weight": 1_000_000});
    assert_eq!(view["spec"]["lines"][0]["quota"], pinned);
    let view =
        app.json("POST", "/v1/jobs", &quota(5, &json!({"max_candidates": 7}))).await.expect(201);
    assert_eq!(view["counts"]["total"], 7);
    assert!(app.json("POST", "/v1/jobs", &job(3)).await.expect(201)["quota"].is_null());
    for (extra, pointer) in [
        (json!({"max_candidates": 4}), "/max_candidates"),
        (json!({"documents": 9}), "/documents"),
        (json!({"accepted": 0}), "/accepted"),
    ] {
        let problem = app.json("POST", "/v1/jobs", &quota(5, &extra)).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn a_budget_is_raised_bound_by_bound_and_a_job_goes_on() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let mut body = job(9);
    body["budget"] = json!({"tokens": 100, "failures": 2});
    let view = app.json("POST", "/v1/jobs", &body).await.expect(201);
    assert_eq!(view["budget"], json!({"tokens": 100, "failures": 2, "then": "pause"}));
    let path = format!("/v1/jobs/{}", view["id"].as_str().unwrap());
    let id: Uuid = view["id"].as_str().unwrap().parse().unwrap();

    // A worker of the name of nobody, with a chunk and 100 tokens counted in it.
    let worker = Uuid::now_v7();
    let lease = chunks::claim(app.db(), worker, &["echo".to_owned()], 4).await.unwrap().unwrap();
    app.test.sql("UPDATE job_chunks SET prompt_tokens = 60, completion_tokens = 40").await;
    let none = Amount::default();
    let want = Amount { tokens: 50, usd: 1.0, failures: 1 };
    let slice = budgets::refill(app.db(), id, worker, none, want).await.unwrap();
    let empty = Amount { tokens: 0, usd: f64::INFINITY, failures: 1 };
    assert_eq!(slice, Slice::Bounded(empty));
    let view = app.get(&path).await.expect(200);
    assert_eq!(
        (&view["state"], &view["error"]["code"]),
        (&json!("paused"), &json!("budget_spent"))
    );
    app.json("POST", &format!("{path}/resume"), &json!({})).await.problem(409, "budget_spent");

    let change =
        json!({"budget": {"tokens": 150, "failures": null, "then": "finish"}, "priority": 4});
    let view = app.json("PATCH", &path, &change).await.expect(200);
    assert_eq!(view["budget"], json!({"tokens": 150, "then": "finish"}));
    assert_eq!((&view["state"], &view["priority"]), (&json!("paused"), &json!(4)));
    let view = app.json("POST", &format!("{path}/resume"), &json!({})).await.expect(200);
    assert_eq!((&view["state"], &view["error"]), (&json!("running"), &Value::Null));

    // Half of the fifty that are left, and half of the rest for another; what is sent stays held.
    let slice = budgets::refill(app.db(), id, worker, none, want).await.unwrap();
    assert!(matches!(slice, Slice::Bounded(Amount { tokens: 25, .. })), "{slice:?}");
    let other = Uuid::now_v7();
    let slice = budgets::refill(app.db(), id, other, none, want).await.unwrap();
    assert!(matches!(slice, Slice::Bounded(Amount { tokens: 13, .. })), "{slice:?}");
    // An eighth of what is wanted, since half of the seven that nobody holds is even less.
    let sent = Amount { tokens: 30, ..none };
    let slice = budgets::refill(app.db(), id, worker, sent, want).await.unwrap();
    assert!(matches!(slice, Slice::Bounded(Amount { tokens: 6, .. })), "{slice:?}");

    // Spent again: it is assembled when its last lease ends.
    app.test.sql("UPDATE job_chunks SET prompt_tokens = 110").await;
    budgets::refill(app.db(), id, other, none, want).await.unwrap();
    assert_eq!(app.get(&path).await.expect(200)["state"], "paused");
    chunks::release(app.db(), lease.key.token).await.unwrap();
    let view = app.get(&path).await.expect(200);
    assert_eq!(
        (&view["state"], &view["error"]["code"]),
        (&json!("assembling"), &json!("budget_spent"))
    );

    for (change, pointer) in [
        (json!({"budget": {"tokens": 0}}), "/budget/tokens"),
        (json!({"budget": {"usd": -1.0}}), "/budget/usd"),
    ] {
        let problem = app.json("PATCH", &path, &change).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    app.json("PATCH", &path, &json!({"name": "x"})).await.problem(422, "invalid");
    let nobody = format!("/v1/jobs/{}", Uuid::now_v7());
    app.json("PATCH", &nobody, &json!({"priority": 1})).await.problem(404, "not_found");
}

#[tokio::test]
async fn of_two_changes_at_once_neither_undoes_the_other() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let path = format!("/v1/jobs/{}", submitted(&app, 12).await);
    for round in 1..=10 {
        let (tokens, failures) =
            (json!({"budget": {"tokens": round}}), json!({"budget": {"failures": round}}));
        let priority = json!({"priority": round});
        let (one, other, third) = tokio::join!(
            app.json("PATCH", &path, &tokens),
            app.json("PATCH", &path, &failures),
            app.json("PATCH", &path, &priority),
        );
        for done in [one, other, third] {
            done.expect(200);
        }
        let view = app.get(&path).await.expect(200);
        assert_eq!(
            (&view["budget"]["tokens"], &view["budget"]["failures"], &view["priority"]),
            (&json!(round), &json!(round), &json!(round)),
        );
    }
}

#[tokio::test]
async fn what_endpoints_cost_is_kept_by_job() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 12).await;
    run_all(&app).await;
    let view = app.get(&format!("/v1/jobs/{id}")).await.expect(200);
    let used = &view["usage"]["endpoints"];
    assert_eq!(used.as_array().unwrap().len(), 1, "{used}");
    assert_eq!(used[0]["documents"], 12);
    assert_eq!(used[0]["prompt_tokens"], view["usage"]["prompt_tokens"]);
    assert_eq!(used[0]["completion_tokens"], view["usage"]["completion_tokens"]);
    assert!(
        (used[0]["usd"].as_f64().unwrap() - view["usage"]["usd"].as_f64().unwrap()).abs() < 1e-9
    );
    let echo = app.get("/v1/endpoints/echo").await.expect(200);
    assert_eq!(echo["usage"]["documents"], 12);
    assert_eq!(echo["usage"]["completion_tokens"], used[0]["completion_tokens"]);
    assert_eq!(jobs::endpoints(app.db(), id).await.unwrap()[0].totals.documents, 12);
}

#[tokio::test]
async fn a_dry_run_stores_nothing_and_says_what_it_rests_on() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let spec = json!({
        "kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m",
        "limits": {"requests_per_minute": 600}, "price": {"input_per_million": 1.0, "output_per_million": 10.0}
    });
    app.json("PUT", "/v1/endpoints/priced", &spec).await.expect(201);
    let mut body = job(1_000);
    body["endpoints"] = json!(["priced"]);
    let forecast = app.json("POST", "/v1/jobs?dry_run=true", &body).await.expect(200);
    assert_eq!(app.test.number("SELECT count(*) FROM jobs").await, 0);
    // "Tell children aged 11 to 14 of ponds." is 37 bytes, ten tokens; answers 30 to 200.
    assert_eq!(forecast["prompts"], 1_000);
    assert_eq!(forecast["prompt_tokens"], 10_000);
    assert_eq!(forecast["completion_tokens"], 115_000);
    let usd = forecast["usd"].as_f64().unwrap();
    assert!((usd - (0.01 + 1.15)).abs() < 1e-9, "{usd}");
    // Sixteen slots at 50 tokens/s and 115 tokens each are 6.96 prompts/s, below ten a second.
    assert_eq!(forecast["duration_seconds"], 144);
    assert_eq!(forecast["endpoints"][0]["prompts"], 1_000);
    assert!(forecast["worst_sampled"]["usd"].as_f64().unwrap() > usd);
    let samples = forecast["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3);
    assert!(samples[0]["prompt"].as_str().unwrap().starts_with("Tell children"), "{samples:?}");
    assert!(forecast["assumptions"].as_array().unwrap().len() >= 3);
    let wanted =
        app.json("POST", "/v1/jobs?dry_run=true", &quota(50, &json!({}))).await.expect(200);
    assert_eq!(
        (&wanted["prompts"], &wanted["worst_sampled"]["prompts"]),
        (&json!(50), &json!(150))
    );
    app.json("POST", "/v1/jobs?dry_run=true", &json!({"name": "x"})).await.problem(422, "invalid");
}
