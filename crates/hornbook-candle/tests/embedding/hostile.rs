//! Files that are damaged, huge or of another kind are refused by name; none of them is a crash.

use hornbook_candle::Overlong;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::fixture::Copy;

const WEIGHTS: &str = "model.safetensors";

/// Where the tensors' bytes begin.
fn data_start(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize
}

/// Rewrites the list of tensors at the head of the weights.
fn rewrite_head(copy: &Copy, change: impl FnOnce(&mut Value)) {
    let bytes = copy.read(WEIGHTS);
    let start = data_start(&bytes);
    let mut head: Value = serde_json::from_slice(&bytes[8..start]).expect("JSON");
    change(&mut head);
    let head = serde_json::to_vec(&head).expect("JSON");
    let mut changed = (head.len() as u64).to_le_bytes().to_vec();
    changed.extend(head);
    changed.extend(&bytes[start..]);
    copy.write(WEIGHTS, changed);
}

#[test]
fn absent_files_are_named() {
    for file in ["config.json", "tokenizer.json", WEIGHTS] {
        let copy = Copy::new();
        copy.remove(file);
        assert!(copy.refusal().starts_with(&format!("no {file} in ")), "{}", copy.refusal());
    }
    let copy = Copy::new();
    for file in ["sentence_bert_config.json", "modules.json", "1_Pooling/config.json"] {
        copy.remove(file);
    }
    assert_eq!(copy.load().expect("the plain layout").tokens_max(), 40);
}

#[test]
fn other_models_are_refused_by_what_they_have() {
    for (file, from, to, word) in [
        ("config.json", "\"bert\"", "\"roberta\"", "roberta"),
        ("config.json", "\"gelu\"", "\"gelu_new\"", "gelu_new"),
        ("config.json", "\"hidden_size\": 24", "\"hidden_size\": 25", "25 hidden numbers"),
        ("config.json", "\"hidden_size\": 24", "\"hidden_size\": 0", "hidden_size is 0"),
        ("config.json", "\"hidden_size\": 24", "\"hidden_size\": -3", "config.json is damaged"),
        (
            "config.json",
            "\"max_position_embeddings\": 40",
            "\"max_position_embeddings\": 999999999999",
            "at most 8192",
        ),
        (
            "config.json",
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            "encoder.layer.2.attention.self.query.weight",
        ),
        (
            "config.json",
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 1",
            "the tensor `encoder.layer.1.",
        ),
        ("config.json", "\"vocab_size\"", "\"vocab\"", "missing field `vocab_size`"),
        ("sentence_bert_config.json", "30", "2", "room for 2 tokens"),
        ("modules.json", "models.Normalize", "models.Dense", "Dense"),
        ("modules.json", "\"1_Pooling\"", "\"../../elsewhere\"", "elsewhere"),
        ("1_Pooling/config.json", "mean_tokens", "max_tokens", "max_tokens pooling"),
        ("1_Pooling/config.json", "true", "false", " pooling"),
        ("tokenizer.json", "\"WordPiece\",\n  \"unk", "\"BPE\",\n  \"unk", "BPE"),
        ("tokenizer.json", "\"BertNormalizer\"", "\"Replace\"", "Replace"),
        ("tokenizer.json", "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[NONE]\"", "no token"),
        (
            "tokenizer.json",
            "\"max_input_chars_per_word\": 100",
            "\"max_input_chars_per_word\": 100000000",
            "at most 1000",
        ),
        ("tokenizer.json", "\"special\": true", "\"special\": false", "added word"),
        ("tokenizer.json", "\"[PAD]\": 0", "\"[PAD]\": 4000000000", "the id 4000000000"),
        ("tokenizer.json", "TemplateProcessing", "RobertaProcessing", "marks elsewhere"),
    ] {
        let copy = Copy::new();
        copy.replace(file, from, to);
        let refusal = copy.refusal();
        assert!(refusal.contains(word), "{file}: {to}: {refusal}");
    }
}

#[test]
fn damaged_weights_are_refused() {
    let copy = Copy::new();
    let bytes = copy.read(WEIGHTS);
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        copy.write(WEIGHTS, &bytes[..length]);
        assert!(copy.refusal().contains(WEIGHTS), "{length}: {}", copy.refusal());
    }
    let mut huge = bytes.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    copy.write(WEIGHTS, &huge);
    assert!(copy.refusal().contains("at most 1048576"), "{}", copy.refusal());

    let end = bytes.len();
    for number in [f32::NAN, f32::INFINITY] {
        let mut poisoned = bytes.clone();
        poisoned[end - 4..].copy_from_slice(&number.to_le_bytes());
        copy.write(WEIGHTS, &poisoned);
        assert!(copy.refusal().contains("not finite"), "{}", copy.refusal());
    }
}

#[test]
fn lists_of_tensors_that_lie_are_refused() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 6] = [
        (|head| head["embeddings.LayerNorm.weight"]["shape"] = json!([4, 6]), "has shape [4, 6]"),
        (
            |head| {
                head["embeddings.LayerNorm.weight"]["shape"] = json!([1_u64 << 40, 1_u64 << 40, 24])
            },
            "damaged",
        ),
        (|head| head["embeddings.LayerNorm.weight"]["dtype"] = json!("I32"), "not floats"),
        (
            |head| head["embeddings.LayerNorm.weight"]["data_offsets"] = json!([0, 1_u64 << 60]),
            "damaged",
        ),
        (
            |head| {
                let tensor = head.as_object_mut().unwrap().remove("embeddings.LayerNorm.weight");
                head["adapter"] = tensor.unwrap();
            },
            "is absent",
        ),
        (|head| *head = json!([]), "damaged"),
    ];
    for (change, word) in cases {
        let copy = Copy::new();
        rewrite_head(&copy, change);
        let refusal = copy.refusal();
        assert!(refusal.contains(word), "{word}: {refusal}");
    }
}

#[test]
fn huge_but_finite_weights_have_no_vector() {
    let copy = Copy::new();
    let mut bytes = copy.read(WEIGHTS);
    let start = data_start(&bytes);
    for number in bytes[start..].chunks_exact_mut(4) {
        number.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    copy.write(WEIGHTS, bytes);
    let model = copy.load().expect("every number is finite");
    let found = model.embed_texts(&["the cat"], Overlong::Refuse, &CancellationToken::new());
    let error = found.expect_err("no vector").to_string();
    assert_eq!(error, "the model computes no finite vector for this text");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_has_an_outcome(
        file in proptest::sample::select(vec!["config.json", "tokenizer.json", WEIGHTS]),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        within in 1_usize..4_000,
    ) {
        let copy = Copy::new();
        let mut bytes = copy.read(file);
        // Most of the damage goes to the front, where the structure is.
        let within = within.min(bytes.len());
        for (place, byte) in places {
            bytes[place.index(within)] = byte;
        }
        copy.write(file, bytes);
        if let Ok(model) = copy.load() {
            let texts = ["the cat sat", "数 [SEP] é"];
            let found = model.embed_texts(&texts, Overlong::Cut, &CancellationToken::new());
            if let Ok(found) = found {
                prop_assert!(found.iter().all(|text| text.vector.iter().all(|x| x.is_finite())));
            }
        }
    }
}
