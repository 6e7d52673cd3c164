//! The real model, where `HORNBOOK_TEST_MODEL` names its file.

use futures_util::future::join_all;
use hornbook_candle::{Engine, EngineConfig};
use hornbook_inference::Backend;
use hornbook_types::FinishReason;
use serde::Deserialize;

use crate::tiny::{greedy, request, without_cached};

/// Made by `fixtures/reference.py`, which shares no code with the engine and says how it works.
const REFERENCE: &str = include_str!("../fixtures/smollm2.json");

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Text>,
    written: Vec<Written>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Written {
    prompt: String,
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    text: String,
    /// How far the second best token was behind, wherever it was nearest.
    smallest_margin: f32,
}

/// Between tokens that lie further apart, 8-bit rows do not choose another one.
const CLEAR_MARGIN: f32 = 1.0;

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where it lies")]
fn real_engine() -> Option<Engine> {
    let Some(path) = std::env::var_os("HORNBOOK_TEST_MODEL") else {
        eprintln!("SKIPPED: HORNBOOK_TEST_MODEL names no model file");
        return None;
    };
    let mut config = EngineConfig::new(path);
    config.slots = 4;
    config.context_tokens = 512;
    Some(Engine::load(config).expect("the model loads"))
}

#[tokio::test]
async fn writes_what_the_reference_writes() {
    let Some(engine) = real_engine() else { return };
    let reference: Reference = serde_json::from_str(REFERENCE).expect("the fixture parses");
    for Text { text, ids } in &reference.texts {
        assert_eq!(engine.count_tokens(text), ids.len(), "{text:?}");
    }
    let mut compared = 0;
    let answers =
        reference.written.iter().map(|written| engine.complete(greedy(&written.prompt, 40)));
    for (answer, written) in join_all(answers).await.into_iter().zip(&reference.written) {
        let answer = answer.expect("an answer");
        assert_eq!(answer.usage.prompt_tokens, written.prompt_ids.len() as u64);
        if written.smallest_margin > CLEAR_MARGIN {
            assert_eq!(answer.text, written.text);
            assert_eq!(answer.finish_reason, FinishReason::Stop);
            assert_eq!(answer.usage.completion_tokens, written.ids.len() as u64);
            compared += 1;
        }
    }
    assert!(compared > 0, "no answer is clear");
}

#[tokio::test]
async fn draws_the_same_alone_and_in_company() {
    let Some(engine) = real_engine() else { return };
    let prompt = "Tell a toddler about rain.";
    let alone = without_cached(engine.complete(request(prompt, 24, 9)).await.expect("an answer"));
    let company = (7..11).map(|seed| engine.complete(request(prompt, 24, seed)));
    let company: Vec<_> = join_all(company).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(without_cached(company[2].clone()), alone);
    assert_ne!(company[1].text, alone.text, "another seed draws otherwise");
}
