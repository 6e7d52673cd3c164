//! Answers as events, while they are written.

use std::time::Duration;

use axum::body::Body;
use hornbook_api::engine::StreamWaits;
use hornbook_inference::ErrorClass;
use hornbook_types::FinishReason;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::app::{Setup, TestEngine, chat};
use crate::script::Act;

fn deltas(events: &[Value]) -> Vec<&Value> {
    events.iter().map(|event| &event["choices"][0]["delta"]).collect()
}

#[tokio::test]
async fn a_chat_streams_role_text_reason_and_the_end() {
    let engine = TestEngine::new(Act::Say(vec!["Hello", " there"], FinishReason::Length));
    let (events, done) = engine.chat(json!({"stream": true})).await.events();
    assert!(done);
    let expected = [
        json!({"role": "assistant", "content": "", "refusal": null}),
        json!({"content": "Hello"}),
        json!({"content": " there"}),
        json!({}),
    ];
    assert_eq!(deltas(&events), expected.iter().collect::<Vec<_>>());
    let reasons: Vec<_> =
        events.iter().map(|e| e["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(reasons, [None, None, None, Some("length")]);
    for event in &events {
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!((&event["id"], &event["model"]), (&events[0]["id"], &json!("script-1")));
        assert!(event.get("usage").is_none(), "{event}");
    }
}

#[tokio::test]
async fn usage_comes_last_where_it_is_wanted() {
    let engine = TestEngine::new(Act::Say(vec!["a", "b"], FinishReason::Stop));
    let options = json!({"include_usage": true, "include_obfuscation": false});
    let fields = json!({"stream": true, "stream_options": options});
    for reply in [engine.chat(fields.clone()).await, engine.complete(fields).await] {
        let (events, done) = reply.events();
        assert!(done);
        let (last, rest) = events.split_last().unwrap();
        assert!(rest.iter().all(|event| event.get("usage") == Some(&Value::Null)));
        assert_eq!(last["choices"], json!([]));
        let usage = json!({
            "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 4},
        });
        assert_eq!(last["usage"], usage);
    }
}

#[tokio::test]
async fn bare_text_streams_with_its_logprobs() {
    let engine = TestEngine::new(Act::Say(vec!["é", "b"], FinishReason::Stop));
    let (events, done) = engine.complete(json!({"stream": true, "logprobs": 1})).await.events();
    assert!(done);
    let texts: Vec<_> = events.iter().map(|event| &event["choices"][0]["text"]).collect();
    assert_eq!(texts, ["é", "b", ""]);
    assert_eq!(events[0]["object"], "text_completion");
    let offsets: Vec<_> =
        events.iter().map(|event| &event["choices"][0]["logprobs"]["text_offset"]).collect();
    assert_eq!(offsets, [&json!([0]), &json!([1]), &Value::Null]);
    assert_eq!(events[2]["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn several_answers_share_a_stream() {
    let engine = TestEngine::new(Act::Say(vec!["x", "y", "z"], FinishReason::Loop));
    let fields = json!({"stream": true, "n": 2, "stream_options": {"include_usage": true}});
    let (events, done) = engine.chat(fields).await.events();
    assert!(done);
    for index in 0..2 {
        let mine: Vec<_> =
            events.iter().map(|e| &e["choices"][0]).filter(|c| c["index"] == index).collect();
        let text: String = mine.iter().filter_map(|c| c["delta"]["content"].as_str()).collect();
        assert_eq!(text, "xyz");
        let last = mine.last().unwrap();
        assert_eq!(
            (&last["finish_reason"], &last["stop_reason"]),
            (&json!("length"), &json!("loop"))
        );
    }
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 6);
    assert_eq!(events.last().unwrap()["usage"]["prompt_tokens"], 5);
}

#[tokio::test]
async fn a_fault_in_the_middle_ends_the_stream_without_done() {
    let act = Act::FailAfter(vec!["Hello"], ErrorClass::Endpoint, "engine_died");
    let engine = TestEngine::new(act);
    let (events, done) = engine.chat(json!({"stream": true})).await.events();
    assert!(!done);
    assert_eq!(events[1]["choices"][0]["delta"]["content"], "Hello");
    let error = json!({
        "message": "scripted engine_died", "type": "server_error", "param": null,
        "code": "engine_died"
    });
    assert_eq!(events.last().unwrap()["error"], error);
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn an_answer_that_panics_is_a_fault_of_the_stream() {
    let engine = TestEngine::new(Act::Panic);
    let (events, done) = engine.chat(json!({"stream": true})).await.events();
    assert!(!done);
    assert_eq!(events.last().unwrap()["error"]["code"], "internal");
}

#[tokio::test]
async fn a_stream_that_waits_in_the_queue_is_kept_open() {
    let keep_alive = Duration::from_millis(50);
    let waits = StreamWaits { head: keep_alive, keep_alive, ..StreamWaits::default() };
    let engine = TestEngine::with(Act::Wait(vec![]), &Setup { waits, ..Setup::default() });
    let release = async {
        tokio::time::sleep(keep_alive * 8).await;
        engine.script.turn.add_permits(1);
    };
    let (reply, ()) = tokio::join!(engine.chat(json!({"stream": true})), release);
    assert!(reply.text.starts_with("data: {"), "{}", reply.text);
    assert!(reply.text.contains("}\n\n: waiting\n\n: waiting\n\n"), "{}", reply.text);
    assert!(reply.text.contains(" at last") && reply.text.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_given_up() {
    let stall = Duration::from_millis(50);
    let waits = StreamWaits { stall, ..StreamWaits::default() };
    let engine =
        TestEngine::with(Act::Wait(vec!["word "; 500]), &Setup { waits, ..Setup::default() });
    let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
    let body = Body::from(chat(json!({"stream": true})).to_string());
    let response = engine.open(request.body(body).unwrap()).await;
    assert_eq!(engine.script.running(), 1);
    tokio::time::sleep(stall * 4).await;
    assert_eq!(engine.script.running(), 0, "the answer is not waited for");
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let engine = TestEngine::new(Act::Wait(vec!["Hello"]));
    let stop = async {
        while engine.script.running() < 3 {
            tokio::task::yield_now().await;
        }
        engine.give_up.cancel();
    };
    let streamed = engine.chat(json!({"stream": true}));
    let whole = engine.chat(json!({"n": 2}));
    let (streamed, whole, ()) = tokio::join!(streamed, whole, stop);
    whole.fault(503, None, "server_shutting_down");
    let (events, done) = streamed.events();
    assert!(!done);
    assert_eq!(events.last().unwrap()["error"]["code"], "server_shutting_down");
}
