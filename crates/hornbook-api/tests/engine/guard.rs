//! Who may ask.

use axum::body::Body;
use hornbook_types::FinishReason;
use http::Request;
use serde_json::json;

use crate::app::{KEY, Setup, TestEngine, chat};
use crate::script::Act;

fn engine(has_key: bool) -> TestEngine {
    let setup = Setup { has_key, ..Setup::default() };
    TestEngine::with(Act::Say(vec!["x"], FinishReason::Stop), &setup)
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn an_engine_with_a_key_answers_its_holders_only() {
    let engine = engine(true);
    let cut = &KEY[..KEY.len() - 1];
    let wrong = ["", "Bearer", "Bearer x", &format!("Bearer {cut}"), &format!("Basic {KEY}"), KEY];
    for shown in wrong {
        let reply = engine.post_with(CHAT, &[("authorization", shown)], &chat(json!({}))).await;
        let error = reply.fault(401, None, "invalid_api_key");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
        assert!(!error.to_string().contains(cut), "{error}");
    }
    for path in ["/v1/models", "/metrics", "/v1/nothing"] {
        engine.get(path).await.fault(401, None, "invalid_api_key");
    }
    assert!(engine.script.asked().is_empty());
    engine.get("/healthz").await.expect(200);
    let shown = format!("Bearer {KEY}");
    let shown = [("authorization", shown.as_str()), ("host", "engine.internal:8000")];
    engine.post_with(CHAT, &shown, &chat(json!({}))).await.expect(200);
}

#[tokio::test]
async fn an_open_engine_answers_this_machine_whatever_key_is_sent() {
    let engine = engine(false);
    for shown in ["Bearer sk-whatever", "Bearer "] {
        let headers = [("authorization", shown)];
        engine.post_with(CHAT, &headers, &chat(json!({}))).await.expect(200);
    }
}

#[tokio::test]
async fn pages_of_other_sites_do_not_reach_an_open_engine() {
    let engine = engine(false);
    for host in ["evil.example", "127.0.0.1.nip.io", "10.0.0.1:8000"] {
        let reply = engine.post_with(CHAT, &[("host", host)], &chat(json!({}))).await;
        reply.fault(421, None, "host_not_allowed");
    }
    let cross =
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for header in cross {
        let reply = engine.post_with(CHAT, &[header], &chat(json!({}))).await;
        reply.fault(403, None, "cross_site");
    }
    assert!(engine.script.asked().is_empty());
    // A browser that asks first learns that no other site may send this.
    let ask = Request::options(CHAT).header("origin", "https://evil.example");
    let reply = engine.send(ask.body(Body::empty()).unwrap()).await;
    let allows = |name: &http::HeaderName| name.as_str().starts_with("access-control-");
    assert!(!reply.headers.keys().any(allows), "{:?}", reply.headers);
}
