//! The bounded queue, and what is told of it.

use hornbook_api::engine::limits::{CHOICES, WAITING_SEQUENCES};
use hornbook_types::FinishReason;
use serde_json::json;

use crate::app::TestEngine;
use crate::script::{Act, SLOTS};

/// The value of an unlabelled metric.
async fn metric(engine: &TestEngine, name: &str) -> u64 {
    let reply = engine.get("/metrics").await;
    assert!(reply.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    let line = reply.text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {}", reply.text)).parse().unwrap()
}

#[tokio::test]
async fn a_full_queue_turns_clients_away_until_there_is_room() {
    let engine = TestEngine::new(Act::Wait(vec![]));
    let all = SLOTS + WAITING_SEQUENCES;
    let fill = async {
        let first = engine.complete(json!({"n": CHOICES}));
        let second = engine.complete(json!({"n": CHOICES, "stream": true}));
        let rest = engine.complete(json!({"n": all - 2 * CHOICES}));
        tokio::join!(first, second, rest)
    };
    let look = async {
        while engine.script.running() < all as u64 {
            tokio::task::yield_now().await;
        }
        for stream in [false, true] {
            let reply = engine.chat(json!({"stream": stream})).await;
            let error = reply.fault(429, None, "rate_limit_exceeded");
            assert_eq!(error["type"], "rate_limit_error");
            assert_eq!(reply.headers["retry-after"], "2");
        }
        assert_eq!(metric(&engine, "hornbook_engine_turned_away_total").await, 2);
        assert_eq!(metric(&engine, "hornbook_engine_abandoned_total").await, 0);
        assert_eq!(metric(&engine, "hornbook_engine_running_sequences").await, all as u64);
        engine.script.turn.add_permits(all);
    };
    let ((first, second, rest), ()) = tokio::join!(fill, look);
    first.expect(200);
    rest.expect(200);
    assert!(second.events().1);
    engine.script.turn.add_permits(1);
    engine.chat(json!({})).await.expect(200);
    assert_eq!(metric(&engine, "hornbook_engine_running_sequences").await, 0);
}

#[tokio::test]
async fn metrics_tell_what_the_backend_says_of_itself() {
    let engine = TestEngine::new(Act::Say(vec!["x"], FinishReason::Stop));
    engine.chat(json!({})).await.expect(200);
    engine.get("/v1/nothing").await;
    assert_eq!(metric(&engine, "hornbook_engine_slots").await, SLOTS as u64);
    assert_eq!(metric(&engine, "hornbook_engine_kv_pages").await, 64);
    assert_eq!(metric(&engine, "hornbook_engine_rows_total").await, 9);
    assert_eq!(metric(&engine, "hornbook_http_replies_total{class=\"4xx\"}").await, 1);
    let text = engine.get("/metrics").await.text;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split([' ', '{']).next().unwrap();
        assert!(text.contains(&format!("# TYPE {name} ")), "{line}");
    }
}
