//! Who may do what: derived from the OpenAPI document for every operation.

use axum::body::Body;
use hornbook_db::keys;
use hornbook_types::Scope;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};

use crate::app::{Reply, TestApp, ask};
use crate::document::{filled, operations};

async fn send(app: &TestApp, method: &str, path: &str, key: Option<&str>) -> Reply {
    let mut request = ask(method, &filled(path));
    if let Some(key) = key {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

/// A HEAD reply has no body; its status tells as much.
#[track_caller]
fn refused(reply: &Reply, method: &str, path: &str, status: u16, code: &str) {
    assert_eq!(reply.status.as_u16(), status, "{method} {path}");
    assert!(reply.headers.contains_key("www-authenticate"), "{method} {path}");
    if method != "HEAD" {
        reply.problem(status, code);
    }
}

#[tokio::test]
async fn every_operation_asks_for_its_scope() {
    let app = TestApp::new().await;
    let read = app.key(Scope::Read).await.reveal();
    let write = app.key(Scope::Write).await.reveal();
    let admin = app.key(Scope::Admin).await.reveal();
    let revoked = app.key(Scope::Admin).await;
    keys::revoke(app.db(), &revoked.id).await.unwrap();
    let revoked = revoked.reveal();
    let mut refusals = 0;
    for (method, path, scope) in operations() {
        let Some(scope) = scope else {
            let reply = send(&app, &method, &path, None).await;
            assert!(reply.status.is_success(), "{method} {path} is public");
            continue;
        };
        refused(&send(&app, &method, &path, None).await, &method, &path, 401, "key_required");
        let reply = send(&app, &method, &path, Some(&revoked)).await;
        refused(&reply, &method, &path, 401, "invalid_key");
        let (too_little, enough) = match scope.as_str() {
            "read" => (None, &read),
            "write" => (Some(&read), &write),
            "admin" => (Some(&write), &admin),
            other => panic!("{other} is no scope"),
        };
        if let Some(key) = too_little {
            let reply = send(&app, &method, &path, Some(key)).await;
            refused(&reply, &method, &path, 403, "insufficient_scope");
            refusals += 1;
        }
        for key in [enough, &admin] {
            let reply = send(&app, &method, &path, Some(key)).await;
            assert!(!matches!(reply.status.as_u16(), 401 | 403), "{method} {path} with {scope}");
            assert!(reply.headers.contains_key("ratelimit"), "{method} {path}");
            assert!(reply.headers.contains_key("ratelimit-policy"), "{method} {path}");
        }
    }
    assert!(refusals > 15, "{refusals}");
}

#[tokio::test]
async fn a_wrong_secret_is_no_key() {
    let app = TestApp::new().await;
    let key = app.key(Scope::Admin).await;
    let good = key.reveal();
    let other = app.key(Scope::Admin).await.reveal();
    let secret_of_other = other.rsplit_once(&format!("hb_{}_", other.split('_').nth(1).unwrap()));
    let mixed = format!("hb_{}_{}", key.id, secret_of_other.unwrap().1);
    for bad in [mixed.as_str(), "hb_x_y", "hf_token", &good[..good.len() - 1], ""] {
        let reply = app.get_with("/v1/jobs", &[("authorization", &format!("Bearer {bad}"))]).await;
        reply.problem(401, "invalid_key");
    }
    let basic = [("authorization", "Basic aGI6eA==")];
    app.get_with("/v1/jobs", &basic).await.problem(401, "invalid_key");
    app.get_with("/v1/jobs", &[("authorization", &format!("bearer {good}"))]).await.expect(200);
}

#[tokio::test]
async fn open_on_loopback_until_a_key_exists_and_never_again() {
    let app = TestApp::new().await;
    app.get("/v1/keys").await.expect(200);
    // Clients of other services send their own tokens along.
    app.get_with("/v1/jobs", &[("authorization", "Bearer hf_abc")]).await.expect(200);
    let key = app.key(Scope::Read).await;
    app.get("/v1/keys").await.problem(401, "key_required");
    keys::revoke(app.db(), &key.id).await.unwrap();
    app.get("/v1/keys").await.problem(401, "key_required");
}

#[tokio::test]
async fn never_open_beyond_loopback() {
    let app = TestApp::with(|config| config.loopback = false).await;
    app.get("/v1/jobs").await.problem(401, "key_required");
}

#[tokio::test]
async fn a_session_stands_for_its_key_and_dies_with_it() {
    let app = TestApp::with(|config| config.base_url = "https://localhost".to_owned()).await;
    let key = app.key(Scope::Read).await;
    let login = |key: String| {
        ask("POST", "/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("key={key}&next=%2Fjobs")))
            .unwrap()
    };
    let wrong = app.send(login(format!("{}x", key.reveal()))).await;
    assert_eq!(wrong.status.as_u16(), 401);
    assert!(!wrong.headers.contains_key(SET_COOKIE));
    let reply = app.send(login(key.reveal())).await;
    assert_eq!(reply.status.as_u16(), 303);
    let cookie = reply.header("set-cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains(key.reveal().rsplit('_').next().unwrap()), "no secret in the cookie");
    let session = cookie.split(';').next().unwrap().to_owned();
    let with = |session: &str| {
        ask("GET", "/v1/jobs").header(COOKIE, format!("other=1; {session}")).body(Body::empty())
    };
    app.send(with(&session).unwrap()).await.expect(200);
    let keys_page = ask("GET", "/v1/keys").header(COOKIE, &session).body(Body::empty()).unwrap();
    app.send(keys_page).await.problem(403, "insufficient_scope");
    // One character of the signature, or of the time, makes it another.
    let end = session.len() - 1;
    let other = if session.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{other}", &session[..end]);
    app.send(with(&forged).unwrap()).await.problem(401, "invalid_key");
    let later = session.replacen(".1", ".9", 1);
    assert_ne!(later, session);
    app.send(with(&later).unwrap()).await.problem(401, "invalid_key");
    keys::revoke(app.db(), &key.id).await.unwrap();
    app.send(with(&session).unwrap()).await.problem(401, "invalid_key");
}

#[tokio::test]
async fn a_key_has_only_so_many_requests_a_minute() {
    let app = TestApp::with(|config| config.requests_per_minute = 2).await;
    let one = format!("Bearer {}", app.key(Scope::Read).await.reveal());
    let two = format!("Bearer {}", app.key(Scope::Read).await.reveal());
    for left in [1, 0] {
        let reply = app.get_with("/v1/jobs", &[("authorization", &one)]).await;
        reply.expect(200);
        assert!(reply.header("ratelimit").contains(&format!("r={left}")), "{reply:?}");
        assert_eq!(reply.header("ratelimit-policy"), "\"key\";q=2;w=60");
    }
    let reply = app.get_with("/v1/jobs", &[("authorization", &one)]).await;
    reply.problem(429, "rate_limited");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    app.get_with("/v1/jobs", &[("authorization", &two)]).await.expect(200);
    app.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn pages_ask_for_a_key_as_well() {
    let app = TestApp::new().await;
    let read = format!("Bearer {}", app.key(Scope::Read).await.reveal());
    let html = ("accept", "text/html");
    for page in [
        "/",
        "/audiences",
        "/audiences/x",
        "/templates",
        "/templates/x",
        "/templates/x/diff",
        "/seed-sets",
        "/seed-sets/x",
        "/jobs",
        "/jobs/new",
        "/jobs/01900000-0000-7000-8000-000000000000",
        "/jobs/01900000-0000-7000-8000-000000000000/documents",
        "/jobs/01900000-0000-7000-8000-000000000000/documents/0",
        "/corpora",
        "/endpoints",
    ] {
        app.get(page).await.problem(401, "key_required");
        let reply = app.get_with(page, &[html]).await;
        assert_eq!(reply.status.as_u16(), 303, "{page}");
        assert!(reply.header("location").starts_with("/login?next="), "{page}");
        let reply = app.get_with(page, &[html, ("authorization", &read)]).await;
        assert!(!matches!(reply.status.as_u16(), 401 | 303 | 500..), "{page}: {}", reply.status);
    }
    for write in ["/jobs", "/jobs/01900000-0000-7000-8000-000000000000/pause"] {
        app.post(write).await.problem(401, "key_required");
        let request = ask("POST", write)
            .header(AUTHORIZATION, &read)
            .header("content-type", "application/x-www-form-urlencoded");
        app.send(request.body(Body::empty()).unwrap()).await.problem(403, "insufficient_scope");
    }
}
