//! Whole answers, and what the backend is asked for them.

use hornbook_inference::{ChatMessage, ErrorClass, Input};
use hornbook_types::{FinishReason, Sampling};
use serde_json::{Value, json};

use crate::app::TestEngine;
use crate::script::Act;

fn hello() -> Act {
    Act::Say(vec!["Hello", " there"], FinishReason::Stop)
}

#[tokio::test]
async fn a_chat_is_answered_in_openais_shape() {
    let engine = TestEngine::new(hello());
    let answer = engine.chat(json!({})).await.expect(200);
    let id = answer["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("chatcmpl-") && id.len() > 20, "{id}");
    assert!(answer["created"].as_i64().unwrap() > 1_700_000_000);
    assert!(answer["system_fingerprint"].as_str().unwrap().starts_with("fp_"));
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "script-1");
    let choice = json!({
        "index": 0,
        "message": {"role": "assistant", "content": "Hello there", "refusal": null},
        "logprobs": null,
        "finish_reason": "stop",
    });
    assert_eq!(answer["choices"], json!([choice]));
    let usage = json!({
        "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
    });
    assert_eq!(answer["usage"], usage);
    let again = engine.chat(json!({})).await.expect(200);
    assert_ne!(again["id"], answer["id"]);
}

#[tokio::test]
async fn what_is_not_said_is_as_openai_has_it() {
    let engine = TestEngine::new(hello());
    engine.chat(json!({"seed": 7, "temperature": null, "stop": null})).await.expect(200);
    engine.complete(json!({"seed": 7})).await.expect(200);
    let plain = Sampling {
        temperature: 1.0,
        top_p: 1.0,
        top_k: 0,
        repetition_penalty: 1.0,
        stop_loops: false,
        max_tokens: 131_072,
        ..Sampling::default()
    };
    let asked = engine.script.asked();
    assert_eq!((&asked[0].sampling, asked[0].seed, asked[0].logprobs), (&plain, 7, None));
    assert_eq!(asked[0].input, Input::user("Why?"));
    assert_eq!(asked[1].sampling, Sampling { max_tokens: 16, ..plain });
    assert_eq!(asked[1].input, Input::Text("Once".to_owned()));
}

#[tokio::test]
async fn what_is_said_reaches_the_backend() {
    let engine = TestEngine::new(hello());
    let fields = json!({
        "temperature": 0.6, "top_p": 0.95, "top_k": 50, "min_p": 0.05, "repetition_penalty": 1.2,
        "frequency_penalty": 0.5, "presence_penalty": -0.5, "max_completion_tokens": 9,
        "min_tokens": 3, "stop": ["\n\n", "END"], "logit_bias": {"17": -100, "4": 2.5},
        "stop_loops": true, "seed": -1, "logprobs": true, "top_logprobs": 3,
    });
    engine.chat(fields).await.expect(200);
    let asked = engine.script.asked().remove(0);
    let expected = Sampling {
        min_p: 0.05,
        frequency_penalty: 0.5,
        presence_penalty: -0.5,
        max_tokens: 9,
        min_tokens: 3,
        stop: vec!["\n\n".to_owned(), "END".to_owned()],
        logit_bias: [(17, -100.0), (4, 2.5)].into(),
        stop_loops: true,
        ..Sampling::default()
    };
    assert_eq!(asked.sampling, expected);
    assert_eq!((asked.seed, asked.logprobs), (u64::MAX, Some(3)));
    for (fields, stop, top_k) in [
        (json!({"stop": "x", "top_k": -1}), vec!["x".to_owned()], 0),
        (json!({"stop": [], "max_tokens": 4, "max_completion_tokens": 4, "top_k": 0}), vec![], 0),
    ] {
        engine.chat(fields).await.expect(200);
        let asked = engine.script.asked().pop().unwrap();
        assert_eq!((asked.sampling.stop, asked.sampling.top_k), (stop, top_k));
    }
}

#[tokio::test]
async fn conversations_come_in_every_form_that_is_text() {
    let engine = TestEngine::new(hello());
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let messages = json!([
        {"role": "developer", "content": "Be short."},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "c", "tool_calls": [], "refusal": null, "name": null},
        {"role": "user", "content": ""},
    ]);
    engine.chat(json!({"messages": messages})).await.expect(200);
    let said =
        |role: &str, content: &str| ChatMessage { role: role.into(), content: content.into() };
    let expected = vec![
        said("system", "Be short."),
        said("system", "Be kind."),
        said("user", "a\nb"),
        said("assistant", "c"),
        said("user", ""),
    ];
    assert_eq!(engine.script.asked()[0].input, Input::Messages(expected));
}

#[tokio::test]
async fn several_answers_draw_with_seeds_of_their_own() {
    let engine = TestEngine::new(hello());
    let answer = engine.chat(json!({"n": 3, "seed": u64::MAX})).await.expect(200);
    let indices: Vec<_> =
        answer["choices"].as_array().unwrap().iter().map(|c| &c["index"]).collect();
    assert_eq!(indices, [0, 1, 2]);
    let mut seeds: Vec<_> = engine.script.asked().iter().map(|asked| asked.seed).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [0, 1, u64::MAX]);
    assert_eq!(answer["usage"]["prompt_tokens"], 5, "a prompt counts once");
    assert_eq!(answer["usage"]["completion_tokens"], 6);

    let fields = json!({"prompt": ["One", "Two"], "n": 2, "seed": 40, "best_of": 2});
    let answer = engine.complete(fields).await.expect(200);
    assert_eq!(answer["usage"]["prompt_tokens"], 10);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 8);
    let choice = |index: u64| json!({"index": index, "text": "Hello there", "logprobs": null, "finish_reason": "stop"});
    assert_eq!(answer["choices"], json!([choice(0), choice(1), choice(2), choice(3)]));
    assert_eq!(answer["object"], "text_completion");
    assert!(answer["id"].as_str().unwrap().starts_with("cmpl-"));
    let asked: Vec<_> =
        engine.script.asked()[3..].iter().map(|a| (a.input.last().to_owned(), a.seed)).collect();
    let expected = [("One", 40), ("One", 41), ("Two", 40), ("Two", 41)];
    assert_eq!(asked, expected.map(|(text, seed)| (text.to_owned(), seed)));
}

#[tokio::test]
async fn requests_without_a_seed_differ() {
    let engine = TestEngine::new(hello());
    for _ in 0..2 {
        engine.chat(json!({})).await.expect(200);
    }
    let asked = engine.script.asked();
    assert_ne!(asked[0].seed, asked[1].seed);
}

#[tokio::test]
async fn logprobs_have_the_shape_of_their_path() {
    let engine = TestEngine::new(hello());
    let answer = engine.chat(json!({"logprobs": true, "top_logprobs": 1})).await.expect(200);
    let content = &answer["choices"][0]["logprobs"]["content"];
    assert_eq!(content.as_array().unwrap().len(), 2);
    let first = json!({
        "token": "Hello", "logprob": -0.5, "bytes": [72, 101, 108, 108, 111],
        "top_logprobs": [{"token": "other", "logprob": -1.5, "bytes": [111, 116, 104, 101, 114]}],
    });
    assert_eq!(content[0], first);
    let answer = engine.complete(json!({"logprobs": 1})).await.expect(200);
    let expected = json!({
        "tokens": ["Hello", " there"], "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"other": -1.5}, {"other": -1.5}], "text_offset": [0, 5],
    });
    assert_eq!(answer["choices"][0]["logprobs"], expected);
    engine.complete(json!({"logprobs": 0})).await.expect(200);
    assert_eq!(engine.script.asked()[2].logprobs, Some(0));
}

#[tokio::test]
async fn a_loop_is_told_in_words_that_typed_clients_know() {
    for (reason, word, more) in [
        (FinishReason::Loop, "length", json!("loop")),
        (FinishReason::Length, "length", Value::Null),
        (FinishReason::Stop, "stop", Value::Null),
        (FinishReason::Other("odd".into()), "stop", Value::Null),
    ] {
        let engine = TestEngine::new(Act::Say(vec!["x"], reason));
        let choice = engine.chat(json!({})).await.expect(200)["choices"][0].clone();
        assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!(word), &more));
        assert_eq!(choice.get("stop_reason").is_some(), !more.is_null());
    }
}

#[tokio::test]
async fn what_goes_wrong_has_a_status_that_says_whose_fault_it_is() {
    for (class, status, code) in [
        (ErrorClass::TooLong, 400, "context_length_exceeded"),
        (ErrorClass::Permanent, 400, "scripted"),
        (ErrorClass::Refused, 400, "content_filter"),
        (ErrorClass::Throttled, 429, "rate_limit_exceeded"),
        (ErrorClass::Transient, 503, "scripted"),
        (ErrorClass::Endpoint, 500, "scripted"),
    ] {
        let engine = TestEngine::new(Act::FailAfter(vec![], class, "scripted"));
        for stream in [false, true] {
            let reply = engine.chat(json!({"n": 2, "stream": stream})).await;
            let error = reply.fault(status, None, code);
            assert_eq!(error["message"], "scripted scripted");
            let passes = matches!(class, ErrorClass::Throttled | ErrorClass::Transient);
            assert_eq!(reply.headers.contains_key("retry-after"), passes, "{class:?}");
        }
        assert_eq!(engine.script.running(), 0);
    }
    let engine = TestEngine::new(Act::Panic);
    engine.chat(json!({})).await.fault(500, None, "internal");
    engine.chat(json!({"stream": true})).await;
}

#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    let engine = TestEngine::new(hello());
    let list = engine.get("/v1/models").await.expect(200);
    assert_eq!(list["object"], "list");
    let one = engine.get("/v1/models/script-1").await.expect(200);
    assert_eq!(list["data"], json!([one]));
    assert_eq!((&one["object"], &one["owned_by"]), (&json!("model"), &json!("hornbook")));
    assert_eq!(
        (&one["sha256"], &one["instruction_set"]),
        (&json!("ab".repeat(32)), &json!("none"))
    );
    assert!(one["created"].as_i64().unwrap() > 1_700_000_000);
    engine.get("/v1/models/org/other").await.fault(404, Some("model"), "model_not_found");
    let error =
        engine.chat(json!({"model": "gpt-4o"})).await.fault(404, Some("model"), "model_not_found");
    assert!(error["message"].as_str().unwrap().contains("script-1"), "{error}");
    engine.chat(json!({"model": null})).await.expect(200);
    engine.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_dead_backend_is_not_healthy() {
    let engine = TestEngine::new(Act::Say(vec!["x"], FinishReason::Stop));
    assert_eq!(engine.get("/healthz").await.expect(200)["status"], "ok");
    engine.script.die();
    assert_eq!(engine.get("/healthz").await.expect(503)["status"], "dead");
}
