//! What is refused, and that it is refused by name.

use axum::body::Body;
use hornbook_types::FinishReason;
use http::Request;
use serde_json::{Value, json};

use crate::app::{TestEngine, chat};
use crate::script::Act;

fn engine() -> TestEngine {
    TestEngine::new(Act::Say(vec!["x"], FinishReason::Stop))
}

#[tokio::test]
async fn values_out_of_range_are_named() {
    let engine = engine();
    let cases = [
        ("temperature", json!(5.5)),
        ("temperature", json!("hot")),
        ("temperature", json!(1e300)),
        ("top_p", json!(0)),
        ("top_p", json!(1.1)),
        ("top_k", json!(-2)),
        ("min_p", json!(2)),
        ("n", json!(0)),
        ("n", json!(129)),
        ("n", json!(1.5)),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-1)),
        ("max_completion_tokens", json!("many")),
        ("frequency_penalty", json!(3)),
        ("presence_penalty", json!(-3)),
        ("repetition_penalty", json!(0)),
        ("stop", json!(7)),
        ("stop", json!(["a", 7])),
        ("stop", json!([""])),
        ("stop", json!(vec!["x"; 17])),
        ("logit_bias", json!([1])),
        ("logit_bias", json!({"the": 1})),
        ("logit_bias", json!({"1": 101})),
        ("seed", json!(1.5)),
        ("seed", json!("7")),
        ("stream", json!("yes")),
        ("stream_options", json!({"include_usage": true})),
        ("logprobs", json!(2)),
        ("top_logprobs", json!(2)),
        ("model", json!(7)),
        ("messages", json!([])),
        ("messages", json!("Why?")),
        ("messages[0]", json!([7])),
        ("messages[0].role", json!([{"role": "wizard", "content": "x"}])),
        ("messages[0].content", json!([{"role": "user"}])),
        ("messages[0].content", json!([{"role": "user", "content": 7}])),
        ("messages[0].content", json!([{"role": "user", "content": []}])),
    ];
    for (param, value) in cases {
        let field = param.split('[').next().unwrap();
        let reply = engine.chat(json!({ field: value })).await;
        // The fault of max_completion_tokens may be found in the field that it stands for.
        reply.fault(400, Some(param), "invalid_value");
    }
    let both = json!({"max_tokens": 3, "max_completion_tokens": 4});
    engine.chat(both).await.fault(400, Some("max_tokens"), "invalid_value");
    let top = json!({"logprobs": true, "top_logprobs": 21});
    engine.chat(top).await.fault(400, Some("top_logprobs"), "invalid_value");
    let options = json!({"stream": true, "stream_options": {"include_usage": 1}});
    engine.chat(options).await.fault(400, Some("include_usage"), "invalid_value");
    assert!(engine.script.asked().is_empty(), "nothing that is refused is asked");
}

#[tokio::test]
async fn what_is_not_done_is_refused_by_name() {
    let engine = engine();
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {}}});
    let cases = [
        ("tools", json!([tool])),
        ("tool_choice", json!("required")),
        ("functions", json!([{"name": "f"}])),
        ("response_format", json!({"type": "json_object"})),
        ("modalities", json!(["text", "audio"])),
        ("audio", json!({"voice": "alloy"})),
        ("store", json!(true)),
        ("reasoning_effort", json!("high")),
        ("service_tier", json!("flex")),
        ("web_search_options", json!({})),
        ("ignore_eos", json!(true)),
        ("messages[0].role", json!([{"role": "tool", "content": "x"}])),
        ("messages[0].name", json!([{"role": "user", "content": "x", "name": "Ann"}])),
        (
            "messages[0].tool_calls",
            json!([{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}]),
        ),
        (
            "messages[0].content[0].type",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
        ),
    ];
    for (param, value) in cases {
        let field = param.split('[').next().unwrap();
        let reply = engine.chat(json!({ field: value })).await;
        reply.fault(400, Some(param), "unsupported_parameter");
    }
    for (param, value) in [
        ("echo", json!(true)),
        ("suffix", json!("the end")),
        ("best_of", json!(3)),
        ("prompt", json!([1, 2, 3])),
        ("prompt", json!([[1, 2, 3]])),
    ] {
        let reply = engine.complete(json!({ param: value })).await;
        reply.fault(400, Some(param), "unsupported_parameter");
    }
    for (param, value) in [("prompt", json!([])), ("prompt", Value::Null), ("logprobs", json!(21))]
    {
        let reply = engine.complete(json!({ param: value })).await;
        reply.fault(400, Some(param), "invalid_value");
    }
    let many = json!({"prompt": vec!["x"; 65], "n": 2});
    engine.complete(many).await.fault(400, Some("n"), "invalid_value");
    engine.chat(json!({"temprature": 1})).await.fault(400, Some("temprature"), "unknown_parameter");
    let long = "x".repeat(512 * 1024 + 1);
    engine.complete(json!({"prompt": ["x", long]})).await.fault(
        400,
        None,
        "context_length_exceeded",
    );
    let options = json!({"stream": true, "stream_options": {"odd": 1}});
    engine.chat(options).await.fault(400, Some("stream_options.odd"), "unknown_parameter");
    assert!(engine.script.asked().is_empty(), "nothing that is refused is asked");
}

#[tokio::test]
async fn what_clients_send_as_a_matter_of_course_is_taken() {
    let engine = engine();
    let fields = json!({
        "user": "u-1", "metadata": {"run": "7"}, "store": false, "service_tier": "auto",
        "tools": [], "tool_choice": "none", "response_format": {"type": "text"},
        "modalities": ["text"], "parallel_tool_calls": true, "prompt_cache_key": "k",
        "safety_identifier": "s", "functions": null, "logit_bias": {}, "logprobs": false,
        "stream": false, "stream_options": null, "n": 1,
    });
    engine.chat(fields).await.expect(200);
    let fields = json!({"echo": false, "suffix": "", "best_of": 1, "user": "u-1"});
    engine.complete(fields).await.expect(200);
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused() {
    let engine = engine();
    let send = async |kind: &str, body: Body| {
        let request = Request::post("/v1/chat/completions").header("content-type", kind);
        engine.send(request.body(body).unwrap()).await
    };
    let json = "application/json";
    send(json, Body::from("{\"model\":")).await.fault(400, None, "invalid_json");
    send(json, Body::from("[]")).await.fault(400, Some("body"), "invalid_value");
    send(json, Body::from("")).await.fault(400, None, "invalid_json");
    send(json, Body::from("[".repeat(100_000))).await.fault(400, None, "invalid_json");
    let good = chat(json!({})).to_string();
    send("text/plain", Body::from(good.clone())).await.fault(415, None, "unsupported_media_type");
    let form = "application/x-www-form-urlencoded";
    send(form, Body::from(good)).await.fault(415, None, "unsupported_media_type");
    let large = " ".repeat(4 * 1024 * 1024 + 1);
    send(json, Body::from(large)).await.fault(413, None, "body_too_large");
    engine.get("/v1/chat/completions").await.fault(405, None, "method_not_allowed");
    engine.get("/v1/files").await.fault(404, None, "not_found");
    assert!(engine.script.asked().is_empty());
}
