//! Vectors against what sentence-transformers computes, with a small random model and, where
//! `HORNBOOK_TEST_EMBEDDING_MODEL` names its directory, with all-MiniLM-L6-v2.

use std::path::Path;

use hornbook_candle::{EmbeddingModel, Overlong};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::fixture;

/// Both sides add thousands of products in 32 bits; each in an order of its own.
const TOLERANCE: f32 = 2e-6;

#[derive(Deserialize)]
struct Expected {
    text: String,
    tokens: usize,
    vector: Vec<f32>,
}

/// The largest difference of any number.
fn worst_of(directory: &Path, expected: &str, dimensions: usize, tokens_max: usize) -> f32 {
    let model = EmbeddingModel::load(directory).expect("the model loads");
    assert_eq!((model.dimensions(), model.tokens_max()), (dimensions, tokens_max));
    let expected: Vec<Expected> = serde_json::from_str(expected).expect("the fixture parses");
    let texts: Vec<&str> = expected.iter().map(|expected| expected.text.as_str()).collect();
    let found = model
        .embed_texts(&texts, Overlong::Cut, &CancellationToken::new())
        .expect("every text has a vector");
    let mut worst = 0.0_f32;
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(found.is_cut, expected.tokens > tokens_max, "{:?}", expected.text);
        assert_eq!(found.tokens, expected.tokens.min(tokens_max), "{:?}", expected.text);
        assert_eq!(found.vector.len(), dimensions);
        for (found, expected) in found.vector.iter().zip(&expected.vector) {
            worst = worst.max((found - expected).abs());
        }
    }
    worst
}

#[test]
fn a_small_bert_is_sentence_transformers() {
    let expected = include_str!("../fixtures/bert/vectors.json");
    let worst = worst_of(&fixture::directory(), expected, 24, 30);
    println!("largest difference: {worst:.1e}");
    assert!(worst < TOLERANCE, "off by {worst:.1e}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where it lies")]
fn minilm_is_sentence_transformers() {
    let Some(directory) = std::env::var_os("HORNBOOK_TEST_EMBEDDING_MODEL") else {
        eprintln!("SKIPPED: HORNBOOK_TEST_EMBEDDING_MODEL names no model directory");
        return;
    };
    let worst = worst_of(directory.as_ref(), include_str!("../fixtures/minilm.json"), 384, 256);
    println!("largest difference: {worst:.1e}");
    assert!(worst < TOLERANCE, "off by {worst:.1e}");
}

#[test]
fn the_first_token_is_another_vector_than_the_mean() {
    let copy = fixture::Copy::new();
    let text = ["the cat"];
    let embed = || {
        let model = copy.load().expect("the model loads");
        let found = model.embed_texts(&text, Overlong::Refuse, &CancellationToken::new());
        found.expect("a vector").remove(0).vector
    };
    let mean = embed();
    copy.replace("1_Pooling/config.json", "pooling_mode_mean_tokens", "pooling_mode_cls_token");
    let first = embed();
    let length: f32 = first.iter().map(|number| number * number).sum();
    assert!((length - 1.0).abs() < 1e-5);
    assert_ne!(mean, first);
}
