//! Files that are missing, cut off, foreign, forged or beyond this engine.

use std::error::Error;

use hornbook_candle::{Engine, EngineConfig, LoadError, SLOTS_MAX};

use crate::tiny::{HIDDEN, Meta, Tiny, greedy, load_bytes, request};

fn refusal(tiny: &Tiny) -> LoadError {
    match tiny.load(|_| ()) {
        Ok(_) => panic!("the file must be refused"),
        Err(error) => error,
    }
}

fn refusal_of_bytes(bytes: &[u8]) -> LoadError {
    match load_bytes(bytes, |_| ()) {
        Ok(_) => panic!("the file must be refused"),
        Err(error) => error,
    }
}

/// Writes a number over the file at one place.
fn patched(at: usize, number: u64) -> Vec<u8> {
    let mut bytes = Tiny::new().bytes();
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn place_of(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("it is there")
}

#[test]
fn missing_file_names_the_command_that_fetches_it() {
    let error = Engine::load(EngineConfig::new("/nowhere/model.gguf")).err().expect("missing");
    assert!(matches!(error, LoadError::Missing { .. }));
    let message = error.to_string();
    assert!(message.contains("/nowhere/model.gguf"), "{message}");
    assert!(message.contains("hornbook model pull"), "{message}");
}

#[test]
fn what_is_no_gguf_file_says_so() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let error = Engine::load(EngineConfig::new(directory.path())).err().expect("a directory");
    assert!(matches!(error, LoadError::NotGguf { .. }), "{error}");
    for bytes in [&b"<!DOCTYPE html><html>"[..], b"PK\x03\x04 a zip archive", b"\0\0\0\0\0\0\0\0"] {
        let error = refusal_of_bytes(bytes);
        assert!(matches!(error, LoadError::NotGguf { .. }), "{error}");
    }
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert!(matches!(refusal_of_bytes(pointer), LoadError::NotGguf { .. }));
}

#[test]
fn every_cut_is_named() {
    let bytes = Tiny::new().bytes();
    let everywhere = (0..600).chain((600..bytes.len()).step_by(211)).chain([bytes.len() - 1]);
    for cut in everywhere {
        let error = refusal_of_bytes(&bytes[..cut]);
        assert!(matches!(error, LoadError::Truncated { .. }), "cut at {cut}: {error}");
    }
    load_bytes(&bytes, |_| ()).expect("the whole file loads");
}

#[test]
fn flipped_bytes_never_panic() {
    let bytes = Tiny::new().bytes();
    let header_bytes = place_of(&bytes, "blk.1.ffn_down.weight") + 60;
    for (turn, at) in (4..header_bytes).step_by(7).enumerate() {
        let mut bytes = bytes.clone();
        bytes[at] ^= [0xff, 0x01, 0x80][turn % 3];
        // Some flips change a name or a token only; what matters is that each has an outcome.
        if let Err(error) = load_bytes(&bytes, |_| ()) {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn forged_counts_are_refused_before_memory_is_asked_for() {
    let bytes = Tiny::new().bytes();
    let tensors = 8;
    let entries = 16;
    for at in [tensors, entries] {
        for count in [u64::MAX, 1 << 40, 1 << 20] {
            let error = refusal_of_bytes(&patched(at, count));
            assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
        }
    }
    let first_key = 24;
    let array = place_of(&bytes, "tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".len() + 8;
    let dimension = place_of(&bytes, "token_embd.weight") + "token_embd.weight".len() + 4;
    let offset = dimension + 16 + 4;
    for at in [first_key, array, dimension, dimension + 8, offset] {
        for number in [u64::MAX, u64::MAX / 2, (1 << 62) + 32, 1 << 33] {
            let error = refusal_of_bytes(&patched(at, number));
            assert!(
                matches!(
                    error,
                    LoadError::Truncated { .. }
                        | LoadError::TooLarge { .. }
                        | LoadError::Malformed { .. }
                        | LoadError::BadTensor { .. }
                ),
                "{at}: {error}"
            );
        }
    }
}

#[test]
fn overlapping_tensors_are_refused() {
    let bytes = Tiny::new().bytes();
    let name = "output.weight";
    let offset = place_of(&bytes, name) + name.len() + 4 + 16 + 4;
    // Without the second big matrix's own bytes the file claims more than it holds.
    let mut shrunk = patched(offset, 0);
    shrunk.truncate(bytes.len() - 256 * HIDDEN * 4);
    let error = refusal_of_bytes(&shrunk);
    assert!(matches!(error, LoadError::Malformed { .. } | LoadError::Truncated { .. }), "{error}");
}

#[test]
fn other_versions_and_byte_orders_are_named() {
    for (version, word) in [(1_u32, "version 1"), (4, "version 4"), (3 << 24, "big-endian")] {
        let mut bytes = Tiny::new().bytes();
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        let message = refusal_of_bytes(&bytes).to_string();
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn missing_parts_are_named() {
    let tiny = Tiny::new();
    for (key, _) in &tiny.metadata {
        let needless = ["_token_id", "head_count_kv"].iter().any(|end| key.ends_with(end));
        match tiny.clone().without(key).load(|_| ()) {
            // Without a count of key heads every head has its own, which these weights lack.
            Err(LoadError::BadTensor { name, .. }) => assert_eq!(name, "blk.0.attn_k.weight"),
            Err(error) => assert!(error.to_string().contains(key.as_str()), "{error}"),
            Ok(_) => assert!(needless, "{key}"),
        }
    }
    for (name, _, _) in &tiny.tensors {
        // The embedding stands in for a missing output matrix: weights are often tied.
        if name != "output.weight" {
            let error = refusal(&tiny.clone().without(name));
            assert!(matches!(&error, LoadError::MissingTensor { name: n } if n == name), "{error}");
        }
    }
    tiny.without("output.weight").load(|_| ()).expect("tied weights load");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for name in ["blk.1.ffn_up.weight", "blk.0.attn_norm.weight", "token_embd.weight"] {
            let mut tiny = Tiny::new();
            tiny.numbers(name)[3] = number;
            let message = refusal(&tiny).to_string();
            assert!(message.contains(name) && message.contains("not finite"), "{message}");
        }
    }
}

#[tokio::test]
async fn finite_numbers_that_overflow_have_an_outcome() {
    let names =
        ["token_embd.weight", "blk.0.attn_k.weight", "blk.1.ffn_up.weight", "output.weight"];
    for number in [f32::MAX, f32::MIN, 1e20, f32::MIN_POSITIVE / 2.0] {
        for name in names.into_iter().chain(["blk.0.attn_norm.weight", "output_norm.weight"]) {
            let mut tiny = Tiny::new();
            tiny.numbers(name).fill(number);
            let loaded = tiny.load(|_| ()).expect("the numbers are finite");
            let mut measured = request("the the 12", 3, 1);
            measured.logprobs = Some(3);
            for request in [greedy("the the 12", 3), measured] {
                match loaded.complete(request).await {
                    Ok(answer) => assert!(answer.usage.completion_tokens <= 3),
                    Err(error) => assert_eq!(error.code, "no_token", "{name} = {number}: {error}"),
                }
            }
        }
    }
}

#[test]
fn what_this_engine_does_not_run_is_refused_by_name() {
    let tiny = Tiny::new();
    let text = |text: &str| Meta::Text(text.to_owned());
    let cases = [
        ("general.architecture", text("gemma2"), "gemma2"),
        ("tokenizer.ggml.pre", text("gpt-2"), "gpt-2"),
        ("tokenizer.ggml.model", text("llama"), "llama"),
        ("llama.rope.scaling.type", text("yarn"), "yarn"),
        ("llama.rope.dimension_count", Meta::Count(2), "dimension_count"),
        ("llama.expert_count", Meta::Count(8), "experts"),
        ("llama.attention.head_count_kv", Meta::Count(3), "3 key heads"),
        ("llama.context_length", Meta::Count(4), "context of 4"),
        ("llama.attention.sliding_window", Meta::Count(64), "sliding_window"),
        ("llama.rope.scaling.factor", Meta::Float(4.0), "rope.scaling.factor"),
    ];
    for (key, value, word) in cases {
        let error = refusal(&tiny.clone().set(key, value));
        assert!(matches!(error, LoadError::Unsupported { .. }), "{key}: {error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let mut biased = tiny.clone();
    biased.tensors.push(("blk.0.attn_q.bias".to_owned(), vec![HIDDEN], vec![0.0; HIDDEN]));
    assert!(refusal(&biased).to_string().contains("blk.0.attn_q.bias"));
}

#[test]
fn contradictions_are_refused() {
    let tiny = Tiny::new();
    let texts = |texts: &[&str]| Meta::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    let cases = [
        ("tokenizer.ggml.merges", texts(&["one"])),
        ("tokenizer.ggml.merges", texts(&["th the"])),
        ("tokenizer.ggml.merges", texts(&["<|endoftext|> <|endoftext|>"])),
        ("tokenizer.ggml.tokens", texts(&["a", "a"])),
        ("tokenizer.ggml.tokens", texts(&[])),
        ("tokenizer.ggml.token_type", Meta::Counts(vec![3])),
        ("tokenizer.ggml.eos_token_id", Meta::Count(1_000)),
        ("tokenizer.chat_template", Meta::Text("{% for %}".to_owned())),
        ("general.alignment", Meta::Count(0)),
        ("general.alignment", Meta::Count(24)),
        ("llama.embedding_length", Meta::Count(32)),
        ("llama.block_count", Meta::Count(3)),
        ("llama.attention.head_count", Meta::Count(0)),
        ("llama.attention.layer_norm_rms_epsilon", Meta::Float(f32::NAN)),
        ("llama.embedding_length", Meta::Count(u32::MAX)),
    ];
    for (key, value) in cases {
        let error = refusal(&tiny.clone().set(key, value));
        assert!(!matches!(error, LoadError::Truncated { .. }), "{key}: {error}");
    }
    let error = refusal(&tiny.clone().set("general.alignment", Meta::Count(0)));
    assert!(error.to_string().contains("general.alignment"), "{error}");
}

#[test]
fn impossible_settings_are_named() -> Result<(), Box<dyn Error>> {
    let tiny = Tiny::new();
    let config = |adjust: fn(&mut EngineConfig)| match tiny.load(adjust) {
        Err(LoadError::Config { field, .. }) => field,
        _ => "",
    };
    assert_eq!(config(|config| config.slots = 0), "slots");
    assert_eq!(config(|config| config.slots = SLOTS_MAX + 1), "slots");
    assert_eq!(config(|config| config.context_tokens = 1), "context_tokens");
    assert_eq!(config(|config| config.threads = Some(0)), "threads");
    let loaded = tiny.load(|config| {
        config.slots = 3;
        config.context_tokens = 100;
    })?;
    // Keys and values, 2 bytes, 2 layers, 3 slots of 7 pages, 2 heads of 4 numbers, of which
    // blocks of 16 are made, 16 positions.
    assert_eq!(loaded.engine.kv_bytes(), 2 * 2 * 2 * (3 * 7) * (2 * 16) * 16);
    Ok(())
}
