//! `hornbook engine`: the real model behind OpenAI's protocol, asked by real clients.

use std::path::Path;
use std::time::Duration;

use hornbook_tests::cli::Cli;
use hornbook_tests::engine::EngineProcess;
use hornbook_tests::service::{Options, Service};
use hornbook_tests::{environment, python};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Longest time for a handful of short answers on two busy cores.
const WITHIN: Duration = Duration::from_secs(120);
const KEY: &str = "sk-local-0123456789abcdef";
const CHAT: &str = "/v1/chat/completions";

fn story(fields: Value) -> Value {
    let messages = json!([{"role": "user", "content": "Tell a long story about the sea."}]);
    let mut body = json!({"messages": messages, "seed": 3, "min_tokens": 400, "max_tokens": 400});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openai_package_gets_what_its_types_promise() {
    let directory = tempfile::tempdir().expect("a directory");
    let key_file = directory.path().join("key");
    std::fs::write(&key_file, format!("{KEY}\n")).expect("writing");
    let embedding_model = environment::embedding_model();
    let paths = [("--api-key-file", &*key_file), ("--embedding-model", &*embedding_model)];
    let mut engine = EngineProcess::start(&["--slots", "4"], &paths).await;
    let name = embedding_model.file_name().expect("a name");
    let seen = run_client(&engine, name.as_ref()).await;
    assert_eq!(seen["package"], "3.54.0", "{seen}");
    assert!(seen["chunks"].as_u64() > Some(8), "the text comes in many pieces: {seen}");
    let refused = json!({
        "tools": "unsupported_parameter", "response_format": "unsupported_parameter",
        "temperature": "invalid_value", "odd_field": "unknown_parameter",
        "model": "model_not_found", "messages": "context_length_exceeded", "key": "invalid_api_key",
    });
    assert_eq!(seen["refused"], refused);
    let embedding = &seen["embedding"];
    assert_eq!(embedding["dimensions"], 384);
    assert!(
        embedding["near"].as_f64() > Some(0.5) && embedding["far"].as_f64() < Some(0.2),
        "{seen}"
    );
    engine.terminate();
    assert_eq!(engine.wait().await, Some(0));
}

async fn run_client(engine: &EngineProcess, embedding_model: &Path) -> Value {
    let base_url = format!("{}/v1", engine.url);
    let model = EngineProcess::model();
    let embedding_model = embedding_model.to_str().expect("UTF-8");
    python::client("openai_client.py", &[&base_url, &model, embedding_model], KEY, WITHIN).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_what_curl_would_show() {
    let engine = EngineProcess::start(&[], &[]).await;
    let body = json!({"prompt": "The sea is", "temperature": 0, "max_tokens": 6});
    let whole: Value = engine.post("/v1/completions", &body).await.json().await.expect("JSON");
    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    let response = engine.post("/v1/completions", &streamed).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let text = response.text().await.expect("a stream");
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    let (last, events) = events.split_last().expect("events");
    assert_eq!(*last, "data: [DONE]");
    let read = |event: &&str| {
        let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event}"));
        serde_json::from_str::<Value>(data).expect("JSON")["choices"][0].clone()
    };
    let choices: Vec<Value> = events.iter().map(read).collect();
    assert!(choices.len() > 3, "the text comes as it is written: {text}");
    let said: String = choices.iter().filter_map(|choice| choice["text"].as_str()).collect();
    assert_eq!(said, whole["choices"][0]["text"].as_str().expect("text"));
    assert_eq!(
        choices.last().expect("an end")["finish_reason"],
        whole["choices"][0]["finish_reason"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_the_same_documents_from_an_engine_as_from_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let key_file = directory.path().join("key");
    std::fs::write(&key_file, KEY).expect("writing");
    let engine =
        EngineProcess::start(&["--slots", "2", "--threads", "1"], &[("--api-key-file", &key_file)])
            .await;
    let model = environment::model().display().to_string();
    let service = Service::start_with(Options {
        arguments: vec!["--model".to_owned(), model],
        ..Options::default()
    })
    .await;
    let add = format!(
        "endpoint add gpu-box --base-url {}/v1 --model {} --preset hornbook_engine --api-key-file",
        engine.url,
        EngineProcess::model()
    );
    let cli = Cli::at(&service.url);
    cli.run(&add, &[&key_file]).await.exits(0);
    cli.run("endpoint test gpu-box", &[]).await.exits(0);
    let mut answers = Vec::new();
    for endpoint in ["local", "gpu-box"] {
        let spec = json!({
            "name": endpoint,
            "seeds": "starter-curriculum",
            "recipe": [{"template": "textbook-chapter", "audience": "middle-school"}],
            "documents": 4,
            "sampling": {"max_tokens": 40, "seed": "18446744073709551615", "min_p": 0.02},
            "endpoints": [endpoint],
            "gates": {"preset": "none"},
        });
        let job = service.submit(&spec).await;
        let ended = service.wait_for_end(&job, WITHIN).await;
        assert_eq!(ended["counts"]["accepted"], 4, "{ended}");
        answers.push(documents(&service, &job).await);
    }
    assert_eq!(answers[0], answers[1]);
}

/// What a job's documents say, without what differs from job to job.
async fn documents(service: &Service, job: &str) -> Vec<Value> {
    let mut documents = Vec::new();
    for seq in 0..4 {
        let (status, document) = service.get(&format!("/v1/jobs/{job}/documents/{seq}")).await;
        assert_eq!(status, 200, "{document}");
        assert!(document["text"].as_str().is_some_and(|text| text.len() > 20), "{document}");
        let same = ["prompt", "text", "finish_reason", "sampling_seed", "model"];
        documents.push(same.iter().map(|name| document[name].clone()).collect());
    }
    documents
}

/// Waits until the number of sequences under way is so.
async fn until(engine: &EngineProcess, is_so: impl Fn(u64) -> bool) {
    let looking = async {
        while !is_so(engine.metric("hornbook_engine_running_sequences").await) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(WITHIN, looking).await.expect("the engine gets there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_its_answers_and_the_rest_goes_on() {
    let engine = EngineProcess::start(&["--kv-memory", "256MiB"], &[]).await;
    // Longer than any machine takes to be asked and left.
    let long = story(json!({"n": 3, "max_tokens": 1_500, "min_tokens": 1_500}));
    for stream in [false, true] {
        let mut body = long.clone();
        body["stream"] = stream.into();
        let request = engine.http.post(format!("{}{CHAT}", engine.url)).json(&body);
        let client = tokio::spawn(async move {
            let mut response = request.send().await.expect("an answer");
            while let Ok(Some(_)) = response.chunk().await {}
        });
        until(&engine, |running| running == 3).await;
        client.abort();
        until(&engine, |running| running == 0).await;
    }
    let drawn = engine.metric("hornbook_engine_completion_tokens_total").await;
    assert!(drawn < 2 * 3 * 1_500, "nothing was written to its end: {drawn}");
    assert_eq!(engine.metric("hornbook_engine_abandoned_total").await, 2);

    let short = json!({"messages": long["messages"], "max_tokens": 4, "seed": 5});
    let answer: Value = engine.post(CHAT, &short).await.json().await.expect("JSON");
    let again: Value = engine.post(CHAT, &short).await.json().await.expect("JSON");
    assert_eq!(answer["choices"], again["choices"]);
    let cached = &again["usage"]["prompt_tokens_details"]["cached_tokens"];
    assert!(cached.as_u64() >= Some(16), "the prompt was computed before: {again}");
    assert!(engine.metric("hornbook_engine_cached_prompt_tokens_total").await >= 16);
    assert!(engine.metric("hornbook_engine_kv_pages_cached").await > 0);
    assert!(engine.metric("hornbook_engine_rows_total").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_goes_in_circles_is_ended_where_that_is_wanted() {
    let engine = EngineProcess::start(&[], &[]).await;
    let circle = "The cat sat. ".repeat(20);
    let body = json!({"prompt": circle, "temperature": 0, "max_tokens": 600, "stop_loops": true});
    let choice = async |body: &Value| {
        let whole = engine.post("/v1/completions", body).await.json::<Value>().await.expect("JSON");
        (whole["choices"][0].clone(), whole["usage"]["completion_tokens"].as_u64())
    };
    let (ended, tokens) = choice(&body).await;
    assert_eq!(
        (&ended["finish_reason"], &ended["stop_reason"]),
        (&json!("length"), &json!("loop"))
    );
    assert!(tokens < Some(600), "{ended}");
    let mut body = body;
    body["stop_loops"] = Value::Null;
    body["max_tokens"] = 300.into();
    let (plain, tokens) = choice(&body).await;
    assert_eq!((plain["finish_reason"].as_str(), tokens), (Some("length"), Some(300)));
    assert_eq!(plain.get("stop_reason"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_asked_to_stop_lets_answers_finish() {
    let mut engine = EngineProcess::start(&[], &[]).await;
    let short = story(json!({"stream": true, "max_tokens": 200, "min_tokens": 200}));
    let answer = engine.post(CHAT, &short);
    let (answer, ()) = tokio::join!(answer, async {
        until(&engine, |running| running == 1).await;
        engine.terminate();
    });
    let text = answer.text().await.expect("a whole stream");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(timeout(WITHIN, engine.wait()).await.expect("it ends"), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_time_to_drain_tells_its_clients() {
    let mut engine = EngineProcess::start(&["--drain-seconds", "0"], &[]).await;
    // Long enough that no machine is done before the engine stops.
    let long = story(json!({"n": 24, "max_tokens": 1_500, "min_tokens": 1_500}));
    let answer = engine.post(CHAT, &long);
    let (answer, ()) = tokio::join!(answer, async {
        until(&engine, |running| running == 24).await;
        engine.terminate();
    });
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let error: Value = answer.json().await.expect("JSON");
    assert_eq!(error["error"]["code"], "server_shutting_down", "{error}");
    assert_eq!(timeout(WITHIN, engine.wait()).await.expect("it ends"), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_could_not_be_used_does_not_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let cli = Cli::default();
    let model = environment::model();
    let open = cli.run("engine --listen 0.0.0.0:0 --model", &[&model]).await.exits(2);
    assert!(open.stderr.contains("--api-key-file"), "{}", open.stderr);
    let short = directory.path().join("short");
    std::fs::write(&short, "hunter2").expect("writing");
    let refused = cli.run("engine --listen 127.0.0.1:0 --api-key-file", &[&short]).await.exits(2);
    assert!(refused.stderr.contains("16"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    cli.run("engine --isa mmx --model", &[&model]).await.exits(2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("engine --listen {} --model none --data-dir", taken.local_addr().unwrap());
    let refused = cli.run(&listen, &[directory.path()]).await.exits(1);
    let said = &refused.stderr;
    assert!(said.contains("in use"), "it does not read a model before it has its port: {said}");
    let missing = cli.run("engine --model none --data-dir", &[directory.path()]).await.exits(1);
    assert!(missing.stderr.contains("hornbook model pull"), "{}", missing.stderr);
    let missing =
        cli.run("engine --embedding-model nowhere/minilm --model", &[&model]).await.exits(1);
    assert!(missing.stderr.contains("config.json"), "{}", missing.stderr);
}
