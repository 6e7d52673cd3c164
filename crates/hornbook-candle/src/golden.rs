//! The real model's tokens and logits against an independent computation.
//!
//! `tests/fixtures/reference.py` made the fixture and says how: byte-pair encoding written out in
//! Python over the published patterns, Jinja for the chat template, and the forward pass in
//! 64-bit floats. What else was checked when it was made: llama.cpp (llama-cpp-python 0.3.36)
//! gives the same ids for every text here, and for 3,991 of 4,000 random texts; the nine others
//! hold a code point that Unicode has not assigned, before an apostrophe. It writes the second
//! answer alike; in the first one, two tokens lie 0.08 apart and its 8-bit activations prefer
//! the other.

mod architectures;
mod tokens;

use hornbook_inference::ChatMessage;
use serde::Deserialize;

use crate::gguf::{self, GgufFile};
use crate::kernel::{Crew, Isa, PAGE_POSITIONS, PageId, Team};
use crate::model::{HostAttention, Model, ModelShape, Pass, Row, Scratch};
use crate::text::{ChatTemplate, TextTokenizer};

const REFERENCE: &str = include_str!("../tests/fixtures/smollm2.json");
const POSITIONS: usize = 128;
/// What 32-bit sums over 1,536 products in 30 layers may differ from 64-bit ones.
const TOLERANCE: f32 = 0.01;

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
    first_logits: Vec<(u32, f32)>,
    ids: Vec<u32>,
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where it lies")]
fn real_file() -> Option<Vec<u8>> {
    let Some(path) = std::env::var_os("HORNBOOK_TEST_MODEL") else {
        eprintln!("SKIPPED: HORNBOOK_TEST_MODEL names no model file");
        return None;
    };
    Some(gguf::read_file(path.as_ref()).expect("the file is read").bytes)
}

fn reference() -> Reference {
    serde_json::from_str(REFERENCE).expect("the fixture parses")
}

#[test]
fn tokens_are_the_reference_s() {
    let Some(bytes) = real_file() else { return };
    let file = GgufFile::parse(&bytes).expect("the file parses");
    let tokenizer = TextTokenizer::read(&file.metadata).expect("the tokenizer is known");
    let chat = ChatTemplate::read(&file.metadata).expect("the template parses");
    let reference = reference();
    for Text { text, ids } in reference.texts {
        assert_eq!(tokenizer.encode_plain(&text).as_ref(), Ok(&ids), "{text:?}");
        let bytes: Vec<u8> = ids.iter().flat_map(|id| tokenizer.bytes(*id)).copied().collect();
        assert_eq!(String::from_utf8(bytes).as_deref(), Ok(text.as_str()));
    }
    for Written { prompt, prompt_ids, .. } in reference.written {
        let message = ChatMessage { role: "user".to_owned(), content: prompt };
        let tokens = chat.encode(&[message], &tokenizer).expect("a prompt");
        assert_eq!(tokens, prompt_ids);
    }
    assert!(tokenizer.is_end(0) && tokenizer.is_end(2) && !tokenizer.is_end(100));
}

#[test]
fn logits_are_the_reference_s() {
    let Some(bytes) = real_file() else { return };
    let file = GgufFile::parse(&bytes).expect("the file parses");
    let written = reference().written;
    let prompts: Vec<&[u32]> = written.iter().map(|written| &*written.prompt_ids).collect();
    for (written, logits) in written.iter().zip(last_logits(&file, &prompts)) {
        for (token, expected) in &written.first_logits {
            let found = logits[*token as usize];
            assert!((found - expected).abs() < TOLERANCE, "{token}: {found} is not {expected}");
        }
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        assert_eq!(best, written.ids.first().map(|id| *id as usize));
    }
}

/// The logits after each prompt. All prompts go in one pass, the last one first.
fn last_logits(file: &GgufFile<'_>, prompts: &[&[u32]]) -> Vec<Vec<f32>> {
    let shape = ModelShape::read(&file.metadata).expect("the shape is known");
    let vocabulary = file.tensors["token_embd.weight"].dims[0];
    let pages_each = POSITIONS.div_ceil(PAGE_POSITIONS) as u32;
    let mut attention = HostAttention::new(shape.heads(), prompts.len() * pages_each as usize);
    let model = Model::load(file, shape, vocabulary, POSITIONS).expect("the weights load");
    let mut rows = Vec::new();
    let mut wanted = Vec::new();
    for (sequence, prompt) in prompts.iter().enumerate().rev() {
        let placed = prompt.iter().zip(0..);
        rows.extend(placed.map(|(token, position)| Row { sequence, position, token: *token }));
        wanted.push(rows.len() - 1);
    }
    let tables: Vec<Vec<PageId>> = (0..prompts.len() as u32)
        .map(|sequence| (0..pages_each).map(|page| PageId(sequence * pages_each + page)).collect())
        .collect();
    let tables: Vec<&[PageId]> = tables.iter().map(Vec::as_slice).collect();
    let team = Team::new(2).expect("threads start");
    let crew = Crew { team: &team, isa: Isa::detect() };
    let mut scratch = Scratch::default();
    let pass = Pass { rows: &rows, tables: &tables, wanted: &wanted };
    let logits = model.forward(crew, &mut attention, pass, &mut scratch);
    logits.chunks(vocabulary).rev().map(<[f32]>::to_vec).collect()
}
