//! Llama 3's and Qwen's whole vocabularies against the published tokenizers.
//!
//! `tests/fixtures/tokens.py` made the fixture and says how. The vocabularies are too large to keep
//! here: `HORNBOOK_TEST_VOCABULARIES` names a folder with `ggml-vocab-llama-bpe.gguf` and
//! `ggml-vocab-qwen2.gguf`, as llama.cpp's source tree has them under `models`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::gguf::{self, GgufFile};
use crate::text::TextTokenizer;

const REFERENCE: &str = include_str!("../../tests/fixtures/tokens.json");

#[derive(Deserialize)]
struct Reference {
    tokens: BTreeMap<String, Vec<Text>>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where it lies")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HORNBOOK_TEST_VOCABULARIES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: HORNBOOK_TEST_VOCABULARIES names no folder");
    }
    folder
}

#[test]
fn tokens_are_the_published_ones() {
    let Some(folder) = folder() else { return };
    let reference: Reference = serde_json::from_str(REFERENCE).expect("the fixture parses");
    assert_eq!(reference.tokens.len(), 2);
    for (name, texts) in reference.tokens {
        let path = folder.join(format!("ggml-vocab-{name}.gguf"));
        let bytes = gguf::read_file(&path).expect("the vocabulary is read").bytes;
        let file = GgufFile::parse(&bytes).expect("the vocabulary parses");
        let tokenizer = TextTokenizer::read(&file.metadata).expect("the vocabulary is known");
        assert!(texts.len() > 50);
        for Text { text, ids } in texts {
            assert_eq!(tokenizer.encode_plain(&text).as_ref(), Ok(&ids), "{name}: {text:?}");
        }
    }
}
