//! Tiny random models of every architecture against what transformers computes with them.
//!
//! `tests/fixtures/architectures.py` made them and says how.

use std::collections::BTreeMap;

use candle_core::Device;
use serde::Deserialize;

use super::last_logits;
use crate::gguf::GgufFile;
use crate::model::Holding;

const REFERENCE: &str = include_str!("../../tests/fixtures/architectures/logits.json");

/// Of the logits' spread: what 16-bit keys and values may cost.
const EXACT: f32 = 2e-3;
/// What 8-bit rows may cost, which tiles are multiplied by. Rows this short average little out; of
/// the real model's logits it is a fifth of that.
const TILES: f32 = 0.12;

#[derive(Deserialize)]
struct Prompt {
    ids: Vec<u32>,
    logits: Vec<f32>,
}

/// How far any logit is from the reference's, measured in the spread of the reference's logits.
fn worst_of(name: &str, bytes: &[u8], holding: Holding) -> f32 {
    let mut reference: BTreeMap<String, Vec<Prompt>> =
        serde_json::from_str(REFERENCE).expect("the fixture parses");
    let prompts = reference.remove(name).expect("the fixture knows the model");
    // A heap buffer, aligned as a file that was read is.
    let bytes = bytes.to_vec();
    let file = GgufFile::parse(&bytes).expect("the file parses");
    let ids: Vec<&[u32]> = prompts.iter().map(|prompt| prompt.ids.as_slice()).collect();
    let found = last_logits(&file, &ids, holding.clone());
    let mut worst = 0.0_f32;
    for (Prompt { ids, logits }, found) in prompts.iter().zip(found) {
        assert_eq!(found.len(), logits.len());
        let squares = logits.iter().map(|logit| logit * logit).sum::<f32>();
        let spread = (squares / logits.len() as f32).sqrt();
        let distances = found.iter().zip(logits).map(|(found, logit)| (found - logit).abs());
        let distance = distances.fold(0.0, f32::max) / spread;
        println!(
            "{name}, {holding:?}, {} tokens: {distance:.1e} of the spread {spread:.2}",
            ids.len()
        );
        worst = worst.max(distance);
    }
    worst
}

macro_rules! models {
    ($($test:ident: $name:literal,)*) => {$(
        #[test]
        fn $test() {
            let bytes =
                include_bytes!(concat!("../../tests/fixtures/architectures/", $name, ".gguf"));
            for (holding, tolerance) in [
                (Holding::Floats, EXACT),
                (Holding::Tiles, TILES),
                (Holding::Tensors(Device::Cpu), EXACT),
            ] {
                let worst = worst_of($name, bytes, holding.clone());
                assert!(worst < tolerance, "{holding:?}: off by {worst:.1e} of the spread");
            }
        }
    )*};
}

models! {
    llama_is_transformers: "llama",
    llama_3_factors_are_transformers: "llama3",
    qwen2_is_transformers: "qwen2",
    qwen3_is_transformers: "qwen3",
    llama_in_q4_1_is_transformers: "llama-q4_1",
    qwen2_in_q4_0_is_transformers: "qwen2-q4_0",
    qwen3_in_q8_0_is_transformers: "qwen3-q8_0",
    llama_in_q5_and_bf16_is_transformers: "llama-q5",
    llama_in_k_quants_is_transformers: "llama-q4_k_m",
}
