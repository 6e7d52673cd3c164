//! The OpenAPI document: committed, complete, and the same as the router.

use serde_json::Value;

use crate::app::{TestApp, ask};

/// Every operation of the document: method, path template, and the scope that it needs.
pub(crate) fn operations() -> Vec<(String, String, Option<String>)> {
    let document: Value = serde_json::from_str(&hornbook_api::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["key"][0].as_str().map(str::to_owned);
            operations.push((method.to_uppercase(), path.clone(), scope));
        }
    }
    assert!(operations.len() > 40, "{}", operations.len());
    operations
}

/// A path with something in place of each parameter.
pub(crate) fn filled(path: &str) -> String {
    path.replace("{slug}", "some-name")
        .replace("{name}", "some-name")
        .replace("{seq}", "0")
        .replace("{path}", "README.md")
        .replace("{ns}", "jobs")
        .replace("{rev}", "main")
        .replace("{dir}", "data")
        .replace("{id}", "01900000-0000-7000-8000-000000000000")
}

#[test]
fn the_committed_document_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == hornbook_api::openapi(),
        "docs/openapi.json is out of date; write it with: cargo xtask openapi"
    );
}

#[test]
fn every_operation_says_what_it_answers() {
    let document: Value = serde_json::from_str(&hornbook_api::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{at}: id used twice");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{at}: summary");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"), "{at}");
            for (status, response) in responses {
                let description = response["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{at} {status} is not described");
            }
        }
    }
}

#[tokio::test]
async fn every_operation_is_there_and_takes_no_other_method() {
    let app = TestApp::new().await;
    for (method, path, _) in operations() {
        let reply = app.send(ask(&method, &filled(&path)).body("".into()).unwrap()).await;
        assert_ne!(reply.status.as_u16(), 405, "{method} {path}");
        if reply.status.as_u16() == 404 && method != "HEAD" {
            let problem = reply.value();
            assert_ne!(problem["detail"], "there is nothing at this path", "{method} {path}");
        }
        let reply = app.send(ask("TRACE", &filled(&path)).body("".into()).unwrap()).await;
        reply.problem(405, "method_not_allowed");
        let allow = reply.header("allow");
        assert!(
            allow.split(',').any(|allowed| allowed == method),
            "{path}: {method} not in {allow}"
        );
    }
}

#[tokio::test]
async fn the_service_serves_its_document() {
    let app = TestApp::new().await;
    let reply = app.get("/openapi.json").await;
    assert_eq!(reply.expect(200)["info"]["title"], "Hornbook");
    let tag = reply.header("etag").to_owned();
    app.get_with("/openapi.json", &[("if-none-match", &tag)]).await.expect(304);
}
