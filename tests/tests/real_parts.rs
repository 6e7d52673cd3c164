//! Nothing but real parts: a real model run in the service's own process, its own Postgres, real HTTP.

use std::time::Duration;

use hornbook_tests::corpus::pull_and_check;
use hornbook_tests::environment;
use hornbook_tests::service::{Options, Service};
use serde_json::json;

/// Longest time for the model to write eight short documents on two busy cores.
const WITHIN: Duration = Duration::from_secs(240);
/// Most new tokens of one document; all tests together stay under 3,000.
const MAX_TOKENS: u32 = 96;

#[tokio::test(flavor = "multi_thread")]
async fn the_local_engine_writes_a_corpus() {
    let model = environment::model().display().to_string();
    let mut service = Service::start_with(Options {
        arguments: vec!["--model".to_owned(), model],
        ..Options::default()
    })
    .await;
    let line = |audience: &str| json!({"template": "textbook-chapter", "audience": audience});
    let job = service
        .submit(&json!({
            "name": "real parts",
            "seeds": "starter-curriculum",
            "recipe": [line("toddler"), line("grade-school"), line("middle-school"), line("college")],
            "documents": 8,
            "sampling": {"max_tokens": MAX_TOKENS, "seed": "7"},
            "gates": {"truncated": "trim", "min_tokens": 20},
        }))
        .await;
    let ended = service.wait_for_end(&job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert!(ended["counts"]["accepted"].as_u64() >= Some(4), "{ended}");
    let written = ended["usage"]["completion_tokens"].as_u64().expect("usage");
    assert!(written > 8 * 10 && written <= 8 * u64::from(MAX_TOKENS), "{ended}");

    let out = tempfile::tempdir().expect("a directory");
    let read = pull_and_check(&service.url, &job, out.path()).await;
    assert_eq!(read["rows"], ended["counts"]["accepted"]);
    let manifest = std::fs::read_to_string(out.path().join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let models = manifest["content"]["models"].as_object().expect("models");
    assert!(models.values().all(|hash| hash.as_str().is_some_and(|hash| hash.len() == 64)));
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_model_file_is_an_error_at_the_endpoint_and_nowhere_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = directory.path().join("broken.gguf");
    std::fs::write(&model, b"GGUF\x03\x00\x00\x00 and then nothing sensible").expect("writing");
    let service = Service::start_with(Options {
        arguments: vec!["--model".to_owned(), model.display().to_string()],
        ..Options::default()
    })
    .await;
    let (status, local) = service.get("/v1/endpoints/local").await;
    assert_eq!((status, &local["state"]), (200, &json!("unavailable")), "{local}");
    assert!(local["message"].as_str().is_some_and(|message| !message.is_empty()), "{local}");
    let (status, _) = service.get("/readyz").await;
    assert_eq!(status, 200);
}
