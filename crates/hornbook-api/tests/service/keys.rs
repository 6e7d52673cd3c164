//! Keys: shown once, listed without secrets, revoked for good.

use serde_json::json;

use hornbook_types::{KeyQuota, Scope};

use crate::app::TestApp;
use crate::fixtures::{catalog, job};

#[tokio::test]
async fn a_key_is_shown_once_and_can_be_revoked() {
    let app = TestApp::new().await;
    let request = json!({"name": "ci", "scopes": ["admin", "read", "admin"]});
    let headers = [("idempotency-key", "first")];
    let made = app.json_with("POST", "/v1/keys", &headers, &request).await;
    let view = made.expect(201);
    let key = view["key"].as_str().unwrap().to_owned();
    let id = view["id"].as_str().unwrap();
    assert_eq!(key.split('_').next(), Some("hb"));
    assert_eq!(key.split('_').nth(1), Some(id));
    assert_eq!(view["scopes"], json!(["read", "admin"]));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.header("location"), format!("/v1/keys/{id}"));

    // The service is closed now, and the same key opens it.
    app.get("/v1/keys").await.problem(401, "key_required");
    let bearer = format!("Bearer {key}");
    let list = app.get_with("/v1/keys", &[("authorization", &bearer)]).await;
    assert_eq!(list.expect(200)["data"][0]["name"], "ci");
    let secret = key.splitn(3, '_').nth(2).unwrap();
    assert!(!String::from_utf8_lossy(&list.body).contains(secret));
    let kept =
        "SELECT count(*) FROM idempotency_keys WHERE convert_from(body, 'UTF8') LIKE '%hb\\_%'";
    assert_eq!(app.test.number(kept).await, 0, "no secret is kept with the reply");

    let revoke = http::Request::delete(format!("/v1/keys/{id}")).header("authorization", &bearer);
    app.send(revoke.body("".into()).unwrap()).await.expect(204);
    let reply = app.get_with("/v1/keys", &[("authorization", &bearer)]).await;
    reply.problem(401, "invalid_key");
}

#[tokio::test]
async fn asking_again_brings_the_key_without_its_secret() {
    let app = TestApp::new().await;
    let admin = format!("Bearer {}", app.key(hornbook_types::Scope::Admin).await.reveal());
    let headers = [("idempotency-key", "k"), ("authorization", admin.as_str())];
    let request = json!({"name": "ci", "scopes": ["read"]});
    let first = app.json_with("POST", "/v1/keys", &headers, &request).await.expect(201);
    let again = app.json_with("POST", "/v1/keys", &headers, &request).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let again = again.expect(201);
    assert_eq!((&again["id"], &again["key"]), (&first["id"], &json!(null)));
    for bad in [json!({"name": "", "scopes": ["read"]}), json!({"name": "x", "scopes": []})] {
        app.json_with("POST", "/v1/keys", &headers[1..], &bad).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn a_key_submits_no_more_than_its_quotas_allow() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let admin = format!("Bearer {}", app.key(Scope::Admin).await.reveal());
    let admin = [("authorization", admin.as_str())];
    let quota = json!({"prompts_per_day": 10, "running_jobs": 2});
    let request = json!({"name": "class", "scopes": ["write"], "quota": quota});
    let made = app.json_with("POST", "/v1/keys", &admin, &request).await.expect(201);
    assert_eq!(made["quota"], quota);
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    // The same Idempotency-Key again is a new try, because the refusal was not kept.
    let student = [("authorization", bearer.as_str()), ("idempotency-key", "one")];

    let refused = app.json_with("POST", "/v1/jobs", &student, &job(11)).await;
    let problem = refused.problem(429, "quota_exceeded");
    assert_eq!((&problem["quota"], &problem["limit"]), (&json!("prompts_per_day"), &json!(10)));
    assert!(!refused.headers.contains_key("retry-after"), "it will not fit tomorrow either");
    app.json_with("POST", "/v1/jobs", &student, &job(6)).await.expect(201);
    let refused = app.json_with("POST", "/v1/jobs", &student[..1], &job(5)).await;
    assert_eq!(refused.problem(429, "quota_exceeded")["used"], 6);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait} seconds to midnight");
    app.json_with("POST", "/v1/jobs", &student[..1], &job(1)).await.expect(201);
    let problem = app.json_with("POST", "/v1/jobs", &student[..1], &job(1)).await;
    assert_eq!(problem.problem(429, "quota_exceeded")["quota"], "running_jobs");
    // Nobody else is held back by it.
    app.json_with("POST", "/v1/jobs", &admin, &job(50)).await.expect(201);

    for (bad, pointer) in [
        (json!({"running_jobs": 0}), "/quota/running_jobs"),
        (json!({"tokens_per_day": 1e18 as u64}), "/quota/tokens_per_day"),
    ] {
        let request = json!({"name": "x", "scopes": ["read"], "quota": bad});
        let problem = app.json_with("POST", "/v1/keys", &admin, &request).await;
        assert_eq!(problem.problem(422, "invalid")["errors"][0]["pointer"], pointer);
    }
    let list = app.get_with("/v1/keys", &admin).await.expect(200);
    let quotas: Vec<&serde_json::Value> =
        list["data"].as_array().unwrap().iter().map(|key| &key["quota"]).collect();
    assert!(quotas.contains(&&json!({})) && quotas.contains(&&quota), "{quotas:?}");
    // Quotas hold for a key made in any way.
    let tight = KeyQuota { running_jobs: Some(1), ..KeyQuota::default() };
    let bearer = format!("Bearer {}", app.key_with(Scope::Write, &tight).await.reveal());
    let tight = [("authorization", bearer.as_str())];
    app.json_with("POST", "/v1/jobs", &tight, &job(1)).await.expect(201);
    app.json_with("POST", "/v1/jobs", &tight, &job(1)).await.problem(429, "quota_exceeded");
}
