//! Keys: shown once, listed without secrets, revoked for good.

use serde_json::json;

use crate::app::TestApp;

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
