//! Watching a job: events as a list and as a stream, and long polls.

use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;
use uuid::Uuid;

use crate::app::{TestApp, ask};
use crate::fixtures::{catalog, run_all, submitted};

/// The events of a stream, read to its end.
async fn stream(app: &TestApp, id: Uuid, last: Option<i64>) -> (u16, Vec<(i64, String, Value)>) {
    let mut request =
        ask("GET", &format!("/v1/jobs/{id}/events")).header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let reply = app.send(request.body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches([':', ' ']).to_owned())
    };
    let events = text.split("\n\n").filter_map(|block| {
        let id = field(block, "id")?.parse().unwrap();
        let data = serde_json::from_str(&field(block, "data")?).unwrap();
        Some((id, field(block, "event")?, data))
    });
    (reply.status.as_u16(), events.collect())
}

#[tokio::test]
async fn a_stream_follows_a_job_to_its_end_and_is_taken_up_where_it_broke() {
    let app = Arc::new(TestApp::new().await);
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    let follower = tokio::spawn({
        let app = app.clone();
        async move { stream(&app, id, None).await }
    });
    app.post(&format!("/v1/jobs/{id}/pause")).await.expect(200);
    app.post(&format!("/v1/jobs/{id}/resume")).await.expect(200);
    run_all(&app).await;
    crate::fixtures::publish(&app, id, b"data").await;
    let (status, events) = follower.await.unwrap();
    assert_eq!(status, 200);
    let ids: Vec<i64> = events.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>(), "every event once, in order");
    assert!(events.iter().any(|(_, kind, _)| kind == "progress"));
    let (_, kind, last) = events.last().unwrap();
    assert_eq!((kind.as_str(), &last["data"]["to"]), ("state", &"succeeded_with_errors".into()));

    let (_, rest) = stream(&app, id, Some(2)).await;
    assert_eq!(rest, events[2..], "taken up after event 2");
    let (status, none) = stream(&app, id, ids.last().copied()).await;
    assert_eq!((status, none.len()), (204, 0), "204 tells a browser to come no more");

    // The list is the same sequence.
    let page = app.get(&format!("/v1/jobs/{id}/events?limit=2")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next =
        app.get(&format!("/v1/jobs/{id}/events?limit=200&cursor={cursor}")).await.expect(200);
    let listed: Vec<&Value> =
        [&page, &next].iter().flat_map(|p| p["data"].as_array().unwrap()).collect();
    assert_eq!(listed, events.iter().map(|(_, _, data)| data).collect::<Vec<_>>());
    let bad = [("last-event-id", "x")];
    app.get_with(&format!("/v1/jobs/{id}/events"), &bad).await.problem(400, "bad_request");
}

#[tokio::test]
async fn streams_end_when_the_service_does() {
    let app = TestApp::new().await;
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    let request =
        ask("GET", &format!("/v1/jobs/{id}/events")).header("accept", "text/event-stream");
    let reply = app.stream(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    let reading = tokio::spawn(reply.into_body().collect());
    app.shutdown.cancel();
    let body = reading.await.unwrap().unwrap().to_bytes();
    assert!(body.starts_with(b"id: 1\n"), "{body:?}");
}

#[tokio::test]
async fn a_long_poll_waits_for_the_next_change() {
    let app = Arc::new(TestApp::new().await);
    catalog(&app).await;
    let id = submitted(&app, 6).await;
    let path = format!("/v1/jobs/{id}");
    let now = app.get(&path).await;
    let tag = now.header("etag").to_owned();
    app.get_with(&path, &[("if-none-match", &tag)]).await.expect(304);
    let at_once = app.get_with(&path, &[("prefer", "wait=0")]).await;
    at_once.expect(200);
    assert_eq!(at_once.header("preference-applied"), "wait=0");
    let waiting = tokio::spawn({
        let (app, path, tag) = (app.clone(), path.clone(), tag.clone());
        async move {
            let headers = [("prefer", "respond-async, wait=60"), ("if-none-match", tag.as_str())];
            app.get_with(&path, &headers).await
        }
    });
    app.post(&format!("{path}/pause")).await.expect(200);
    let changed = waiting.await.unwrap();
    assert_eq!(changed.expect(200)["state"], "paused");
    // What the client has is already another: no wait.
    let headers = [("prefer", "wait=60"), ("if-none-match", tag.as_str())];
    assert_eq!(app.get_with(&path, &headers).await.expect(200)["state"], "paused");
    // A job that has ended will not change by itself.
    app.post(&format!("{path}/cancel")).await.expect(200);
    let ended = app.get_with(&path, &[("prefer", "wait=60")]).await;
    assert_eq!(ended.expect(200)["state"], "cancelled");
}
