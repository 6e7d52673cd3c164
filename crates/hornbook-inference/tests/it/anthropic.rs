//! The same client over Anthropic's protocol, against servers that do all that servers do.

use hornbook_inference::{
    Backend, Completion, CompletionError, ErrorClass, OpenAiConfig, Protocol, preset,
};
use hornbook_types::{EndpointKind, FinishReason, Sampling};
use serde_json::{Value, json};

use crate::anthropic_rules::{fault, judge};
use crate::support::{KEY, NotingTimer, Reply, Server, backend, config, http, ok, request};

fn anthropic(base_url: String) -> OpenAiConfig {
    OpenAiConfig {
        protocol: Protocol::Anthropic,
        preset: preset::row(EndpointKind::Anthropic, None),
        ..config(base_url)
    }
}

async fn ask(replies: Vec<Reply>) -> (Result<Completion, CompletionError>, usize) {
    let server = Server::start(replies).await;
    let backend = backend(anthropic(server.base_url()), NotingTimer::default());
    let outcome = backend.complete(request("Why is the sky blue?")).await;
    (outcome, server.seen().len())
}

fn message(text: &str, stop_reason: Value) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-20250929",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": text},
            {"type": "a_block_of_tomorrow", "text": "no part of the answer"}
        ],
        "stop_reason": stop_reason, "stop_sequence": null, "extra": {"x": 1},
        "usage": {"input_tokens": 7, "cache_creation_input_tokens": 10,
                  "cache_read_input_tokens": 100, "output_tokens": 3, "service_tier": "standard"}
    })
}

fn error(word: &str, message: &str) -> String {
    let error = json!({"type": word, "message": message});
    json!({"type": "error", "error": error, "request_id": "req_1"}).to_string()
}

#[tokio::test]
async fn sends_a_message_and_reads_the_answer() {
    let server = Server::start(vec![ok(message("Rayleigh.", json!("end_turn")))]).await;
    let backend = backend(anthropic(server.base_url()), NotingTimer::default());
    let completion = backend.complete(request("Why?")).await.unwrap();
    assert_eq!(completion.text, "Rayleigh.");
    assert_eq!(completion.finish_reason, FinishReason::Stop);
    assert_eq!(completion.model, "m-20250929");
    let usage = completion.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (117, 3), "the cache's included");
    assert_eq!(usage.cached_tokens, 100);
    assert!(!completion.usage_estimated);

    let seen = server.seen();
    assert!(seen[0].head.starts_with("POST /v1/messages HTTP/1.1"), "{}", seen[0].head);
    assert!(seen[0].head.contains(&format!("x-api-key: {KEY}")), "{}", seen[0].head);
    assert!(seen[0].head.contains("anthropic-version: 2023-06-01"), "{}", seen[0].head);
    assert!(!seen[0].head.contains("authorization"), "{}", seen[0].head);
    let expected = json!({
        "model": "m", "max_tokens": 2500, "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 0.6, "top_k": 50
    });
    assert_eq!(seen[0].body, expected);
}

#[tokio::test]
async fn reads_every_end_that_an_answer_can_have() {
    for (word, reason) in [
        (json!("stop_sequence"), FinishReason::Stop),
        (json!("max_tokens"), FinishReason::Length),
        (json!("model_context_window_exceeded"), FinishReason::Length),
        (json!("pause_turn"), FinishReason::Other("pause_turn".into())),
        (json!("moon_phase"), FinishReason::Other("moon_phase".into())),
        (Value::Null, FinishReason::Other("missing".into())),
    ] {
        let completion = ask(vec![ok(message("x", word))]).await.0.unwrap();
        assert_eq!(completion.finish_reason, reason);
    }
    let mut bare = message("a\u{0}b", json!("end_turn"));
    bare["usage"] = Value::Null;
    bare["model"] = Value::Null;
    let completion = ask(vec![ok(bare)]).await.0.unwrap();
    assert_eq!(completion.text, "a\u{fffd}b");
    assert!(completion.had_nul && completion.usage_estimated);
    assert_eq!((completion.usage.prompt_tokens, completion.usage.completion_tokens), (5, 2));
    assert_eq!(completion.model, "m", "the model asked for stands in");
    let mut empty = message("", json!("end_turn"));
    empty["content"] = json!([]);
    assert_eq!(ask(vec![ok(empty)]).await.0.unwrap().text, "");
}

#[tokio::test]
async fn tries_again_what_may_pass() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"content\": [".to_vec();
    let faults = [
        Reply::Drop,
        Reply::Raw(cut),
        http(200, &[], "<html>a gateway's page</html>"),
        http(200, &[], "{\"content\": ["),
        http(200, &[], "{\"type\": \"message\"}"),
        http(200, &[], &error("overloaded_error", "Overloaded")),
        http(429, &[("retry-after", "1")], &error("rate_limit_error", "slow down")),
        http(500, &[], &error("api_error", "Internal server error")),
        http(529, &[], &error("overloaded_error", "Overloaded")),
    ];
    for fault in faults {
        let good = ok(message("fine", json!("end_turn")));
        let (outcome, asked) = ask(vec![fault.clone(), fault, good]).await;
        assert_eq!((outcome.unwrap().text.as_str(), asked), ("fine", 3));
    }
}

#[tokio::test]
async fn names_what_no_second_attempt_can_mend() {
    use ErrorClass::{Endpoint, Permanent, Refused, TooLong, Unavailable};
    let too_long = error("invalid_request_error", "prompt is too long: 210000 tokens > 200000");
    let echo = error("authentication_error", &format!("invalid x-api-key {KEY}"));
    let spent = json!({"type": "error", "error": {
        "type": "rate_limit_error", "message": "spent",
        "details": {"error_code": "enforced_spend_limit_reached"}
    }});
    let mut refusal = message("I", json!("refusal"));
    refusal["stop_details"] = json!({"explanation": "not this"});
    let mut unannounced = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"".to_vec();
    unannounced.resize(17 * 1024 * 1024, b'x');
    let credit = "Your credit balance is too low to access the Anthropic API.";
    let cases = [
        (http(400, &[], &too_long), (TooLong, "context_length"), 1),
        (http(413, &[], &error("request_too_large", "")), (TooLong, "http_413"), 1),
        (http(400, &[], &error("invalid_request_error", "no")), (Permanent, "http_400"), 1),
        (http(400, &[], &error("invalid_request_error", credit)), (Endpoint, "quota"), 1),
        (http(401, &[], &echo), (Endpoint, "http_401"), 1),
        (http(402, &[], &error("billing_error", "")), (Endpoint, "quota"), 1),
        (http(403, &[], &error("permission_error", "")), (Endpoint, "http_403"), 1),
        (http(404, &[], &error("not_found_error", "model: m")), (Endpoint, "http_404"), 1),
        (http(429, &[], &spent.to_string()), (Endpoint, "quota"), 1),
        (ok(refusal), (Refused, "refusal"), 1),
        (Reply::Raw(unannounced), (Permanent, "body_too_large"), 1),
    ];
    for (reply, expected, attempts) in cases {
        let (outcome, asked) = ask(vec![reply]).await;
        let error = outcome.unwrap_err();
        assert!(!error.message.contains(KEY), "{error}");
        assert_eq!(((error.class, error.code), asked), (expected, attempts), "{error}");
    }
    // Overload is nobody's fault who asks: the prompt is put back, after more than one attempt.
    let (outcome, asked) = ask(vec![http(529, &[], &error("overloaded_error", ""))]).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.class, error.code, asked > 1), (Unavailable, "http_529", true), "{error}");
}

#[tokio::test]
async fn a_schema_goes_only_where_it_is_understood() {
    let format = json!({
        "type": "json_schema", "json_schema": {"name": "q", "schema": {"type": "object"}}
    });
    let mut asked = request("Why?");
    asked.sampling.response_format = Some(serde_json::from_value(format.clone()).unwrap());
    let server = Server::start(vec![ok(message("{}", json!("end_turn")))]).await;
    let able = backend(anthropic(server.base_url()), NotingTimer::default());
    able.complete(asked.clone()).await.unwrap();
    assert_eq!(server.seen()[0].body["output_config"]["format"]["schema"]["type"], "object");
    // Of unknown make: its owner has to say so.
    let mut unknown = config(server.base_url());
    let refused = backend(unknown.clone(), NotingTimer::default()).complete(asked.clone()).await;
    let error = refused.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "response_format"));
    assert_eq!(server.seen().len(), 1, "nothing was sent");
    unknown.options.insert("structured_output".into(), json!(true));
    let told = backend(unknown, NotingTimer::default()).complete(asked).await;
    assert_eq!(told.unwrap_err().code, "no_choices", "the answer is no chat's");
    assert_eq!(server.seen()[1].body["response_format"], format);
}

/// Samplings that set every field that there is, one way and another.
fn samplings() -> Vec<Sampling> {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {
        "name": "q", "schema": schema, "strict": true
    }});
    let everything = json!({
        "temperature": 1.0, "top_p": 0.5, "top_k": 7, "repetition_penalty": 1.3, "max_tokens": 9,
        "min_p": 0.1, "frequency_penalty": 0.5, "presence_penalty": 0.5, "stop": ["END", "\n#"],
        "min_tokens": 3, "logit_bias": {"7": 1.0}, "stop_loops": false, "response_format": format,
    });
    let off = json!({"temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0});
    [json!({}), everything, off].map(|sampling| serde_json::from_value(sampling).unwrap()).into()
}

#[tokio::test]
async fn keeps_to_the_rules_whatever_a_job_asks_for() {
    let server = Server::start(vec![Reply::Judge(judge)]).await;
    let able = backend(anthropic(server.base_url()), NotingTimer::default());
    for sampling in samplings() {
        let mut asked = request("Why?");
        asked.sampling = sampling;
        assert_eq!(able.complete(asked).await.unwrap().text, "fine");
    }
    // What a preset cannot know is the user's to say, and is told in the API's own words.
    let mut asked = request("Why?");
    asked.sampling.temperature = 1.5;
    let error = able.complete(asked).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "http_400"));
    assert!(error.message.contains("range: 0..1"), "{error}");
    // What the OpenAI protocol sends, the rules refuse: they are no mere nodding.
    let plain = Server::start(vec![Reply::Judge(judge)]).await;
    let mistaken = OpenAiConfig { protocol: Protocol::OpenAi, ..anthropic(plain.base_url()) };
    assert!(backend(mistaken, NotingTimer::default()).complete(request("Why?")).await.is_err());
    let good =
        json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
    assert_eq!(fault(&good), None);
    for (field, bad) in [
        ("seed", json!(1)),
        ("max_tokens", json!(0)),
        ("messages", json!([])),
        ("messages", json!([{"role": "system", "content": "x"}])),
        ("messages", json!([{"role": "user", "content": " "}])),
        ("stop_sequences", json!(["\n"])),
        ("system", json!([{"type": "text", "text": ""}])),
        ("output_config", json!({"format": {"type": "json_schema", "schema": {"type": "object"}}})),
    ] {
        let mut body = good.clone();
        body[field] = bad;
        assert!(fault(&body).is_some(), "{body}");
    }
}
