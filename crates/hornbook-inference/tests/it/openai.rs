//! The OpenAI client against servers that do all that servers do.

use std::time::Duration;

use crate::support::{KEY, NotingTimer, Reply, Server, backend, config, good, http, ok, request};
use hornbook_inference::{Backend, Completion, CompletionError, ErrorClass};
use hornbook_types::{EndpointLimits, FinishReason};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

type Outcome = Result<Completion, CompletionError>;

/// Asks a server that gives these replies; also says how often it was asked.
async fn ask(replies: Vec<Reply>) -> (Outcome, usize) {
    let server = Server::start(replies).await;
    let backend = backend(config(server.base_url()), NotingTimer::default());
    let outcome = backend.complete(request("Why is the sky blue?")).await;
    (outcome, server.seen().len())
}

async fn failure(reply: Reply) -> (ErrorClass, &'static str, usize) {
    let (outcome, asked) = ask(vec![reply]).await;
    let error = outcome.unwrap_err();
    assert!(!error.message.contains(KEY), "{error}");
    assert!(error.message.chars().count() < 400, "{error}");
    assert!(!error.message.chars().any(char::is_control), "{error}");
    (error.class, error.code, asked)
}

fn choice(message: Value, finish_reason: Value) -> Reply {
    ok(json!({"choices": [{"message": message, "finish_reason": finish_reason}]}))
}

#[tokio::test]
async fn sends_a_chat_and_reads_the_answer() {
    let server = Server::start(vec![good("Because of Rayleigh.")]).await;
    let backend = backend(config(server.base_url()), NotingTimer::default());
    let completion = backend.complete(request("Why?")).await.unwrap();
    assert_eq!(completion.text, "Because of Rayleigh.");
    assert_eq!(completion.finish_reason, FinishReason::Stop);
    assert_eq!(completion.model, "m-2024");
    let usage = completion.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens), (7, 3, 2));
    assert!(!completion.usage_estimated && !completion.had_nul);
    assert_eq!((backend.model(), backend.slots()), ("m", 4));

    let seen = server.seen();
    assert!(seen[0].head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", seen[0].head);
    assert!(seen[0].head.contains(&format!("authorization: Bearer {KEY}")));
    let expected = json!({
        "model": "m", "messages": [{"role": "user", "content": "Why?"}], "temperature": 0.6,
        "top_p": 0.95, "max_tokens": 2500, "seed": 42
    });
    assert_eq!(seen[0].body, expected);
}

#[tokio::test]
async fn reads_answers_of_every_make() {
    let (outcome, _) = ask(vec![choice(json!({"content": "ab\u{0}cdefgh"}), json!("weird"))]).await;
    let completion = outcome.unwrap();
    assert_eq!(completion.text, "ab\u{fffd}cdefgh");
    assert!(completion.had_nul && completion.usage_estimated);
    assert_eq!(completion.finish_reason, FinishReason::Other("weird".into()));
    assert_eq!(completion.usage.completion_tokens, 3, "11 bytes, rounded up");
    assert_eq!(completion.model, "m", "the model asked for stands in");

    let parts = json!({"content": [{"type": "text", "text": "a"}, {"type": "image"}, "b"]});
    for (message, finish, text, reason) in [
        (parts, json!("max_tokens"), "ab", FinishReason::Length),
        (
            json!({"content": null}),
            json!("tool_calls"),
            "",
            FinishReason::Other("tool_calls".into()),
        ),
        (json!({"content": "x"}), Value::Null, "x", FinishReason::Other("missing".into())),
        (json!({"content": "x"}), json!("eos_token"), "x", FinishReason::Stop),
        (json!({"content": "x"}), json!("a\u{0}\n"), "x", FinishReason::Other("a".into())),
    ] {
        let completion = ask(vec![choice(message, finish)]).await.0.unwrap();
        assert_eq!((completion.text.as_str(), completion.finish_reason), (text, reason));
    }

    for (finish, beside, reason) in [
        ("length", json!("loop"), FinishReason::Loop),
        ("length", Value::Null, FinishReason::Length),
        ("stop", json!("loop"), FinishReason::Stop),
    ] {
        let message = json!({"content": "x"});
        let choice = json!({"message": message, "finish_reason": finish, "stop_reason": beside});
        let completion = ask(vec![ok(json!({"choices": [choice]}))]).await.0.unwrap();
        assert_eq!(completion.finish_reason, reason);
    }

    let odd_usage = json!({
        "choices": [{"text": "old style", "finish_reason": "stop"}],
        "usage": {"prompt_tokens": -3, "completion_tokens": 18_446_744_073_709_551_615_u64}
    });
    let completion = ask(vec![ok(odd_usage)]).await.0.unwrap();
    assert_eq!(completion.text, "old style");
    assert!(completion.usage_estimated && completion.usage.completion_tokens == 3);
}

#[tokio::test]
async fn tries_again_what_may_pass() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\": [".to_vec();
    let faults = [
        Reply::Drop,
        Reply::Raw(cut),
        http(200, &[], "<html>a gateway's page</html>"),
        http(200, &[], "{\"choices\": ["),
        http(200, &[], "{}"),
        http(200, &[], ""),
        ok(json!({"error": {"message": "overloaded", "code": 502}})),
        ok(json!({"error": "queue full"})),
        http(408, &[], ""),
        http(409, &[], "{}"),
        http(425, &[], ""),
        http(424, &[], "{\"error\": \"x\", \"error_type\": \"generation\"}"),
        http(429, &[("retry-after", "1")], "slow down"),
        ok(
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ),
        http(500, &[], "<html>"),
        http(503, &[], ""),
        http(529, &[], ""),
    ];
    for fault in faults {
        let (outcome, asked) = ask(vec![fault.clone(), fault, good("fine")]).await;
        assert_eq!((outcome.unwrap().text.as_str(), asked), ("fine", 3));
    }
}

#[tokio::test]
async fn gives_up_after_six_attempts_and_names_the_reason() {
    use ErrorClass::{Transient, Unavailable};
    assert_eq!(failure(http(500, &[], "boom")).await, (Transient, "http_500", 6));
    // Four rounds of nothing but refusals, and it is not waited for.
    assert_eq!(failure(http(429, &[], "slow")).await, (Unavailable, "http_429", 4));
    assert_eq!(failure(Reply::Drop).await, (Transient, "interrupted", 6));
    assert_eq!(failure(http(200, &[], " <!doctype html>")).await, (Transient, "html_page", 6));
    assert_eq!(failure(http(200, &[], "[1")).await, (Transient, "bad_json", 6));
    assert_eq!(failure(http(200, &[], "[]")).await, (Transient, "no_choices", 6));
    let body = json!({"error": {"message": "x"}});
    assert_eq!(failure(ok(body)).await, (Transient, "error_body", 6));
}

#[tokio::test]
async fn asks_once_where_asking_again_cannot_help() {
    use ErrorClass::{Endpoint, Permanent, Refused, TooLong};
    let error = |code: &str, message: &str| {
        json!({"error": {"code": code, "message": message}}).to_string()
    };
    let echo = error("x", &format!("bad key {KEY}\r\n\u{1b}[2J{}", "y".repeat(2_000)));
    let cases = [
        (http(400, &[], &error("", "no")), (Permanent, "http_400")),
        (http(401, &[], &echo), (Endpoint, "http_401")),
        (http(401, &[], &echo[..echo.len() - 2]), (Endpoint, "http_401")),
        (http(403, &[], &error("", "not you")), (Endpoint, "http_403")),
        // A firewall may mind this one prompt.
        (http(403, &[], "<html>"), (Permanent, "http_403")),
        (http(404, &[], "<html>"), (Endpoint, "http_404")),
        (http(422, &[], "{\"detail\": [{\"msg\": \"x\"}]}"), (Permanent, "http_4xx")),
        (http(302, &[("location", "http://127.0.0.1:1/")], ""), (Endpoint, "redirect")),
        (http(402, &[], ""), (Endpoint, "quota")),
        (http(429, &[], &error("insufficient_quota", "pay")), (Endpoint, "quota")),
        (http(400, &[], &error("context_length_exceeded", "")), (TooLong, "context_length")),
        (
            http(400, &[], "{\"object\": \"error\", \"message\": \"maximum context length is 2\"}"),
            (TooLong, "context_length"),
        ),
        (choice(json!({"content": null, "refusal": "no"}), json!("stop")), (Refused, "refusal")),
        (choice(json!({"content": ""}), json!("content_filter")), (Refused, "content_filter")),
    ];
    for (reply, (class, code)) in cases {
        assert_eq!(failure(reply).await, (class, code, 1));
    }
}

#[tokio::test]
async fn what_was_declined_after_it_was_computed_is_told_with_its_cost() {
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 30});
    let refusal = json!({"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"});
    for (body, cost) in [
        (json!({"choices": [refusal], "usage": usage}), (7, 30)),
        (json!({"choices": [refusal]}), (5, 1)),
        // Six attempts, each of them paid for.
        (json!({"usage": usage}), (42, 180)),
        (json!({"error": {"message": "odd"}}), (0, 0)),
    ] {
        let (outcome, _) = ask(vec![ok(body.clone())]).await;
        let usage = outcome.unwrap_err().usage;
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), cost, "{body}");
    }
    let cut = format!("{{\"usage\": {usage}, \"choices\": [");
    let (outcome, _) = ask(vec![http(200, &[], &cut), good("x")]).await;
    assert_eq!(outcome.unwrap().wasted.prompt_tokens, 7);
    let (outcome, _) = ask(vec![ok(json!({"usage": usage})), good("x")]).await;
    assert_eq!(outcome.unwrap().wasted.completion_tokens, 30);
}

#[tokio::test]
async fn refuses_bodies_without_end() {
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_vec();
    assert_eq!(
        failure(Reply::Raw(announced.clone())).await,
        (ErrorClass::Permanent, "body_too_large", 1)
    );
    let (outcome, _) = ask(vec![Reply::Raw(announced)]).await;
    assert_eq!(outcome.unwrap_err().usage.completion_tokens, 2_500, "it was computed all the same");
    let mut unannounced = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\"".to_vec();
    unannounced.resize(17 * 1024 * 1024, b'x');
    assert_eq!(
        failure(Reply::Raw(unannounced)).await,
        (ErrorClass::Permanent, "body_too_large", 1)
    );
}

#[tokio::test]
async fn waits_as_long_as_the_server_asks() {
    let replies = vec![
        http(429, &[("retry-after", "7")], ""),
        http(503, &[("retry-after", "120")], ""),
        http(500, &[], ""),
        good("x"),
    ];
    let server = Server::start(replies).await;
    let timer = NotingTimer::default();
    let now = timer.now.clone();
    backend(config(server.base_url()), timer).complete(request("x")).await.unwrap();
    // 7 s and 120 s for everybody, a tenth or a second apart, and 1 to 2 s of this one's own.
    let waited = now.lock().unwrap().as_millis();
    assert!((128_250..=130_700).contains(&waited), "{waited}");
}

#[tokio::test]
async fn an_endpoint_that_declines_everything_is_at_fault_itself() {
    let page = http(403, &[], "<html>not you</html>");
    for (reply, code) in [(page, "http_403"), (http(400, &[], "{}"), "http_400")] {
        let server = Server::start(vec![good("x"), reply]).await;
        let backend = backend(config(server.base_url()), NotingTimer::default());
        backend.complete(request("x")).await.unwrap();
        let mut classes = Vec::new();
        for _ in 0..34 {
            let error = backend.complete(request("x")).await.unwrap_err();
            assert_eq!(error.code, code);
            classes.push(error.class);
        }
        assert!(classes[..31].iter().all(|class| *class == ErrorClass::Permanent));
        let last = [ErrorClass::Endpoint, ErrorClass::Unavailable, ErrorClass::Unavailable];
        assert_eq!(classes[31..], last);
    }
}

#[tokio::test]
async fn no_prompt_waits_for_an_hour_and_the_endpoint_is_left_alone_for_it() {
    for (status, asked, held_seconds) in
        [(429, "900", 900), (503, "99999", 3_600), (500, "121", 121)]
    {
        let server =
            Server::start(vec![http(status, &[("retry-after", asked)], ""), good("x")]).await;
        let timer = NotingTimer::default();
        let now = timer.now.clone();
        let backend = backend(config(server.base_url()), timer);
        let error = backend.complete(request("x")).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Unavailable, "{status}");
        assert_eq!(now.lock().unwrap().as_secs(), 0, "put back at once");
        backend.complete(request("x")).await.unwrap();
        let waited = now.lock().unwrap().as_secs();
        assert!((held_seconds..=held_seconds + 1).contains(&waited), "{status} {waited}");
    }
}

#[tokio::test]
async fn a_prompt_of_which_no_more_is_to_be_sent_is_put_back() {
    let server = Server::start(vec![http(500, &[], "")]).await;
    let backend = backend(config(server.base_url()), NotingTimer::default());
    let no_more = CancellationToken::new();
    no_more.cancel();
    let admission = backend.limiter().unwrap().admit(1).await;
    let error = backend.complete_until(request("x"), admission, no_more).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Unavailable, "http_500"));
    assert_eq!(server.seen().len(), 1, "what was admitted is sent, and that is all");
}

#[tokio::test]
async fn a_wait_that_one_was_asked_for_is_everybodys() {
    let replies = vec![http(429, &[("retry-after", "9")], ""), good("x")];
    let server = Server::start(replies).await;
    let mut once = config(server.base_url());
    once.options.insert("attempts".into(), json!(1));
    let timer = NotingTimer::default();
    let now = timer.now.clone();
    let backend = backend(once, timer);
    let error = backend.complete(request("x")).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Unavailable, "http_429"));
    assert_eq!(*now.lock().unwrap(), Duration::ZERO);
    backend.complete(request("y")).await.unwrap();
    assert!(*now.lock().unwrap() >= Duration::from_secs(9));
    let figures = backend.limiter().unwrap().figures();
    assert_eq!((figures.requests, figures.throttled, figures.in_use), (2, 1, 0));
    assert_eq!(figures.tokens, 10);
}

#[tokio::test]
async fn waits_for_a_reset_where_nothing_is_left() {
    let left = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6s")];
    let answer = json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]});
    let server = Server::start(vec![http(200, &left, &answer.to_string()), good("y")]).await;
    let timer = NotingTimer::default();
    let now = timer.now.clone();
    let backend = backend(config(server.base_url()), timer);
    backend.complete(request("x")).await.unwrap();
    assert_eq!(*now.lock().unwrap(), Duration::ZERO);
    backend.complete(request("y")).await.unwrap();
    assert!(*now.lock().unwrap() >= Duration::from_secs(6));
}

#[tokio::test]
async fn a_prompt_that_meets_a_dead_endpoint_is_put_back() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let backend = backend(config(format!("http://127.0.0.1:{port}/v1")), NotingTimer::default());
    // Its six attempts are not enough to say that the endpoint is down; with the next it is.
    let first = backend.complete(request("x")).await.unwrap_err();
    assert_eq!((first.class, first.code), (ErrorClass::Transient, "connect"));
    let second = backend.complete(request("y")).await.unwrap_err();
    assert_eq!((second.class, second.code), (ErrorClass::Unavailable, "connect"));
    let limiter = backend.limiter().unwrap();
    assert!(limiter.is_down() && limiter.in_use() == 0);
    assert_eq!(limiter.figures().requests, 8);
}

#[tokio::test]
async fn only_the_first_attempt_uses_the_admission_it_came_with() {
    let server = Server::start(vec![http(500, &[], ""), good("x")]).await;
    let mut one = config(server.base_url());
    one.limits = EndpointLimits { in_flight: Some(1), ..EndpointLimits::default() };
    let backend = backend(one, NotingTimer::default());
    let limiter = backend.limiter().unwrap();
    let admission = limiter.admit(100).await;
    // The only slot would keep the second attempt out for ever if the first held on to it.
    backend.complete_admitted(request("x"), admission).await.unwrap();
    assert_eq!((server.seen().len(), limiter.figures().requests, limiter.in_use()), (2, 2, 0));
}

#[tokio::test]
async fn a_hanging_server_times_out_by_name() {
    let server = Server::start(vec![Reply::Hang]).await;
    let mut config = config(server.base_url());
    config.options.insert("timeout_seconds".into(), json!(0.05));
    config.options.insert("attempts".into(), json!(2));
    let error = backend(config, NotingTimer::default()).complete(request("x")).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Transient, "timeout"));
    assert!(error.message.ends_with("(attempt 2)"), "{error}");
}

#[tokio::test]
async fn no_server_no_name_and_no_tls_have_names() {
    let free_port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = plain.accept().await.unwrap();
            let mut hello = [0; 64];
            stream.read_exact(&mut hello).await.unwrap();
            stream.write_all(b"HTTP/1.1 400 no TLS here\r\n\r\n").await.unwrap();
        }
    });
    for (url, code) in [
        (format!("http://127.0.0.1:{free_port}/v1"), "connect"),
        ("http://no-such-host.invalid/v1".to_owned(), "dns"),
        (format!("https://127.0.0.1:{}/v1", plain_port), "tls"),
    ] {
        let outcome = backend(config(url), NotingTimer::default()).complete(request("x")).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.class, error.code), (ErrorClass::Transient, code), "{error}");
    }
}

#[tokio::test]
async fn a_cancelled_prompt_stops_wherever_it_is() {
    // While the server thinks.
    let server = Server::start(vec![Reply::Hang]).await;
    let mut limited = config(server.base_url());
    limited.limits = EndpointLimits { in_flight: Some(1), ..EndpointLimits::default() };
    let hanging = backend(limited, NotingTimer::default());
    let (first, second) = (request("first"), request("second"));
    let cancels = [first.cancel.clone(), second.cancel.clone()];
    let (first, second, ()) =
        tokio::join!(hanging.complete(first), hanging.complete(second), async {
            while server.seen().is_empty() {
                tokio::task::yield_now().await;
            }
            // The second waits for the only slot, the first for its answer.
            cancels[1].cancel();
            cancels[0].cancel();
        });
    for outcome in [first, second] {
        assert_eq!(outcome.unwrap_err().class, ErrorClass::Cancelled);
    }
    assert_eq!(server.seen().len(), 1);

    // While it waits to try again.
    let server = Server::start(vec![http(500, &[], "")]).await;
    let timer = NotingTimer { endless: true, ..NotingTimer::default() };
    let waits = timer.waits.clone();
    let waiting = backend(config(server.base_url()), timer);
    let request = request("x");
    let cancel = request.cancel.clone();
    let (outcome, ()) = tokio::join!(waiting.complete(request), async {
        while waits.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    assert_eq!(outcome.unwrap_err().class, ErrorClass::Cancelled);
    assert_eq!(server.seen().len(), 1);
}
