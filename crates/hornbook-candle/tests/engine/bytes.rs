//! The same prompt gives the same bytes, whatever else is written, shared or evicted.

use std::path::Path;

use futures_util::future::join_all;
use hornbook_candle::{Engine, EngineConfig, InstructionSet};
use hornbook_inference::{Backend, Completion, CompletionRequest};

use crate::tiny::{Tiny, request, without_cached};

const PROMPTS: u64 = 64;

/// Prompts of many lengths, of which several begin alike, and every way of drawing.
fn requests(stem_words: usize, most_tokens: u32) -> Vec<CompletionRequest> {
    let words = ["the", "sea", "is", "wide", "and", "old", "ships", "cross", "it", "slowly"];
    let text = |from: usize, count: usize| -> String {
        (from..from + count).map(|at| words[at * at % 11 % 10]).collect::<Vec<_>>().join(" ")
    };
    (0..PROMPTS)
        .map(|number| {
            let place = number as usize;
            let stem = match number % 4 {
                0 => String::new(),
                1 => text(0, stem_words),
                2 => text(0, stem_words * place / PROMPTS as usize),
                _ => text(3, stem_words / 2),
            };
            let prompt = format!("{stem} {}: tell me more about it", text(place, 1 + place % 7));
            let mut request = request(&prompt, 1 + (number as u32 * 7) % most_tokens, number);
            let sampling = &mut request.sampling;
            match number % 6 {
                0 => {
                    sampling.temperature = 0.0;
                    sampling.repetition_penalty = 1.0;
                }
                1 => (sampling.top_k, sampling.top_p) = (0, 0.8),
                2 => (sampling.frequency_penalty, sampling.presence_penalty) = (0.5, 0.3),
                3 => (sampling.temperature, sampling.min_p) = (1.3, 0.05),
                4 => sampling.stop = vec!["sea".to_owned(), "\n\n".to_owned()],
                _ => request.logprobs = Some(2),
            }
            request
        })
        .collect()
}

/// How an engine is set up, and how many prompts are with it at once.
#[derive(Clone, Copy, Debug)]
struct Way {
    at_once: usize,
    threads: usize,
    shares: bool,
    /// `None`: as many as there may be.
    kv_contexts: Option<u64>,
}

const WAYS: [Way; 7] = [
    Way { at_once: 1, threads: 1, shares: false, kv_contexts: None },
    Way { at_once: 64, threads: 2, shares: true, kv_contexts: None },
    Way { at_once: 17, threads: 1, shares: true, kv_contexts: Some(2) },
    Way { at_once: 3, threads: 2, shares: true, kv_contexts: Some(1) },
    Way { at_once: 64, threads: 1, shares: false, kv_contexts: None },
    Way { at_once: 64, threads: 2, shares: true, kv_contexts: Some(3) },
    Way { at_once: 1, threads: 2, shares: true, kv_contexts: None },
];

/// A model and what is asked of it.
struct Case<'a> {
    model: &'a Path,
    set: Option<InstructionSet>,
    requests: &'a [CompletionRequest],
    context_tokens: usize,
}

fn engine(case: &Case<'_>, way: Way, context_bytes: u64) -> Engine {
    let mut config = EngineConfig::new(case.model);
    config.instruction_set = case.set;
    config.slots = way.at_once;
    config.threads = Some(way.threads);
    config.context_tokens = case.context_tokens;
    config.share_prefixes = way.shares;
    config.kv_memory_bytes = way.kv_contexts.map(|contexts| contexts * context_bytes);
    Engine::load(config).expect("the model loads")
}

async fn answers(engine: &Engine, requests: &[CompletionRequest], way: Way) -> Vec<Completion> {
    let mut answers = Vec::new();
    for requests in requests.chunks(way.at_once) {
        let each = requests.iter().map(|request| engine.complete(request.clone()));
        let each = join_all(each).await.into_iter();
        answers.extend(each.map(|answer| answer.expect("an answer")));
    }
    answers
}

async fn compare(case: Case<'_>, ways: &[Way]) {
    let mut expected: Option<Vec<Completion>> = None;
    let mut context_bytes = 0;
    for way in ways {
        let engine = engine(&case, *way, context_bytes);
        if context_bytes == 0 {
            context_bytes = engine.kv_bytes() / way.at_once as u64;
        }
        let found = answers(&engine, case.requests, *way).await;
        let load = engine.load().expect("figures");
        assert_eq!((load.running_sequences, load.kv_pages_held, load.queued_prompts), (0, 0, 0));
        assert_eq!(load.cached_tokens > 0, way.shares, "{way:?}");
        let cached: u64 = found.iter().map(|answer| answer.usage.cached_tokens).sum();
        assert_eq!(load.cached_tokens, cached);
        let found: Vec<Completion> = found.into_iter().map(without_cached).collect();
        let expected = expected.get_or_insert_with(|| found.clone());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found, expected, "{way:?}");
        }
    }
    let expected = expected.expect("answers");
    let texts: std::collections::BTreeSet<&str> =
        expected.iter().map(|answer| answer.text.as_str()).collect();
    assert!(texts.len() as u64 > PROMPTS / 2, "the prompts must matter");
}

#[tokio::test]
async fn answers_are_the_same_bytes() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let model = directory.path().join("tiny.gguf");
    std::fs::write(&model, Tiny::new().bytes()).expect("the file is written");
    let requests = requests(60, 60);
    compare(Case { model: &model, set: None, requests: &requests, context_tokens: 512 }, &WAYS)
        .await;
}

/// Of small files in quantised types, so that tiles are compared where no real model is at hand.
#[tokio::test]
async fn answers_of_tiles_are_the_same_bytes_on_every_instruction_set() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/architectures");
    // One token a byte: short prompts fill the context of these files.
    let requests = requests(15, 40);
    for file in ["llama-q4_1.gguf", "llama-q4_k_m.gguf", "qwen3-q8_0.gguf"] {
        let model = fixtures.join(file);
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            let case =
                Case { model: &model, set: Some(set), requests: &requests, context_tokens: 256 };
            compare(case, &WAYS[..5]).await;
        }
    }
}

/// Of the real model: fewer ways, as each loads it anew and computes for seconds.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where it lies")]
async fn the_real_model_s_answers_are_the_same_bytes() {
    let Some(model) = std::env::var_os("HORNBOOK_TEST_MODEL") else {
        eprintln!("SKIPPED: HORNBOOK_TEST_MODEL names no model file");
        return;
    };
    let (model, requests) = (model.as_ref(), requests(60, 24));
    compare(Case { model, set: None, requests: &requests, context_tokens: 256 }, &WAYS[..5]).await;
}
