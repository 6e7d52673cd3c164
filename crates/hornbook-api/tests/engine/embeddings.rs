//! Texts as vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hornbook_types::FinishReason;
use serde_json::{Value, json};

use crate::app::{Reply, Setup, TestEngine};
use crate::script::Act;

fn engine(has_embedder: bool) -> TestEngine {
    let setup = Setup { has_embedder, ..Setup::default() };
    TestEngine::with(Act::Say(vec!["x"], FinishReason::Stop), &setup)
}

async fn embed(engine: &TestEngine, body: Value) -> Reply {
    engine.post("/v1/embeddings", &body).await
}

#[tokio::test]
async fn texts_become_vectors_in_either_form() {
    let engine = engine(true);
    let body = json!({"model": "lengths", "input": "four", "user": "u"});
    let answer = embed(&engine, body).await.expect(200);
    let expected = json!({
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [4.0, 0.5, -0.25]}],
        "model": "lengths",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    });
    assert_eq!(answer, expected);
    let body = json!({
        "model": "lengths", "input": ["a", "bc"], "encoding_format": "base64", "dimensions": 3
    });
    let answer = embed(&engine, body).await.expect(200);
    assert_eq!(answer["usage"]["total_tokens"], 4);
    let second = answer["data"][1]["embedding"].as_str().unwrap();
    let bytes: Vec<u8> = [2.0_f32, 0.5, -0.25].iter().flat_map(|n| n.to_le_bytes()).collect();
    assert_eq!(STANDARD.decode(second).unwrap(), bytes);
    let metrics = engine.get("/metrics").await.text;
    assert!(metrics.contains("hornbook_engine_embedded_texts_total 3\n"), "{metrics}");
    assert!(metrics.contains("hornbook_engine_embedded_tokens_total 6\n"), "{metrics}");
    let models = engine.get("/v1/models").await.expect(200);
    assert_eq!(models["data"][1]["id"], "lengths");
}

#[tokio::test]
async fn what_cannot_be_embedded_is_refused_by_name() {
    let engine = engine(true);
    for (field, value, code) in [
        ("input", Value::Null, "invalid_value"),
        ("input", json!([]), "invalid_value"),
        ("input", json!(""), "invalid_value"),
        ("input", json!(["a", ""]), "invalid_value"),
        ("input", json!([true]), "invalid_value"),
        ("input", json!(vec!["x"; 2_049]), "invalid_value"),
        ("input", json!([1, 2]), "unsupported_parameter"),
        ("input", json!([[1, 2]]), "unsupported_parameter"),
        ("encoding_format", json!("int8"), "invalid_value"),
        ("dimensions", json!(2), "unsupported_parameter"),
        ("pooling", json!("mean"), "unknown_parameter"),
    ] {
        let mut body = json!({"model": "lengths", "input": "x"});
        body[field] = value;
        embed(&engine, body).await.fault(400, Some(field), code);
    }
    let long = json!({"model": "lengths", "input": "too long"});
    embed(&engine, long).await.fault(400, None, "context_length_exceeded");
    for model in ["script-1", "ada"] {
        let body = json!({"model": model, "input": "x"});
        embed(&engine, body).await.fault(404, Some("model"), "model_not_found");
    }
    let chat = json!({"model": "lengths"});
    engine.chat(chat).await.fault(404, Some("model"), "model_not_found");
}

#[tokio::test]
async fn an_engine_without_an_embedding_model_says_how_to_get_one() {
    let engine = engine(false);
    let reply = embed(&engine, json!({"model": "lengths", "input": "x"})).await;
    let error = reply.fault(404, Some("model"), "model_not_found");
    assert!(error["message"].as_str().unwrap().contains("--embedding-model"), "{error}");
}
