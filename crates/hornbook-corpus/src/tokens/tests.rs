//! Tokenizers as files: what they give, and what is refused.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tokenizer::CorpusTokenizer;

/// A byte-level BPE tokenizer with all bytes and some merges; the last token is the special one.
fn byte_level(pre_tokenizer: Value, normalizer: Value) -> Value {
    let mut tokens: Vec<String> = Vec::new();
    let mut spare = 256_u32;
    for byte in 0..=u8::MAX {
        let prints = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let character = if prints {
            char::from(byte)
        } else {
            spare += 1;
            char::from_u32(spare - 1).unwrap()
        };
        tokens.push(character.to_string());
    }
    let merges = [
        ("t", "h"),
        ("th", "e"),
        ("Ġ", "the"),
        ("i", "n"),
        ("Ġ", "a"),
        ("e", "r"),
        ("Ġ", "Ġ"),
        ("ĠĠ", "ĠĠ"),
        ("1", "2"),
        ("12", "3"),
        ("Ã", "©"),
        ("'", "s"),
        ("Ċ", "Ċ"),
        ("<", "|"),
        ("<|", "end"),
        ("e", "n"),
        ("en", "d"),
    ];
    for (left, right) in merges {
        let merged = format!("{left}{right}");
        if !tokens.contains(&merged) {
            tokens.push(merged);
        }
    }
    tokens.push("end".to_owned());
    tokens.sort();
    tokens.dedup();
    let vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect();
    let merges: Vec<Value> = merges.iter().map(|(left, right)| json!([left, right])).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{
            "id": tokens.len(), "content": "<|endoftext|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true,
        }],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges,
        },
    })
}

fn gpt2() -> Value {
    let cut = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    byte_level(cut, Value::Null)
}

fn smollm() -> Value {
    let cut = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    ]});
    byte_level(cut, Value::Null)
}

fn qwen() -> Value {
    let pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let cut = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
    ]});
    byte_level(cut, json!({"type": "NFC"}))
}

/// Looks behind, which the quick expressions cannot.
fn looking_behind() -> Value {
    let cut = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": r"(?<=[a-z])(?=[A-Z])|\s+|\d{1,3}(?=(?:\d{3})*\b)"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
    ]});
    byte_level(cut, Value::Null)
}

fn read(file: &Value) -> Result<CorpusTokenizer, String> {
    CorpusTokenizer::from_json(file.to_string().as_bytes(), "tiny", None)
}

fn encode(tokenizer: &CorpusTokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encoder().append(text, &mut ids).unwrap();
    ids
}

fn by_the_library(tokenizer: &CorpusTokenizer, text: &str) -> Vec<u32> {
    tokenizer.library.encode_fast(text, false).unwrap().get_ids().to_vec()
}

#[test]
fn the_usual_ways_of_cutting_are_quick() {
    for file in [gpt2(), smollm(), qwen(), looking_behind()] {
        assert!(read(&file).unwrap().byte_level.is_some(), "{}", file["pre_tokenizer"]);
    }
}

static QUICK: LazyLock<Vec<CorpusTokenizer>> = LazyLock::new(|| {
    [gpt2(), smollm(), qwen(), looking_behind()].iter().map(|file| read(file).unwrap()).collect()
});

proptest! {
    #[test]
    fn the_quick_way_gives_the_librarys_tokens(
        text in r"([a-zA-Zé中ß]{0,6}|(the|in| the| a|'s|<\|endoftext\|>){0,3}|[ \t\r\n\u{a0}]{0,4}|[0-9٣½]{0,7}|[.,!\u{301}_😀-]{0,3}){0,24}"
    ) {
        for tokenizer in QUICK.iter() {
            let ids = encode(tokenizer, &text);
            prop_assert_eq!(&ids, &by_the_library(tokenizer, &text));
            // A second time from memory.
            let mut encoder = tokenizer.encoder();
            for _ in 0..2 {
                let mut again = Vec::new();
                encoder.append(&text, &mut again).unwrap();
                prop_assert_eq!(&ids, &again);
            }
        }
    }
}

#[test]
fn what_spells_the_end_of_a_text_is_text() {
    let tokenizer = read(&gpt2()).unwrap();
    let end = tokenizer.facts().end_of_text_id.unwrap();
    assert_eq!(tokenizer.facts().end_of_text.as_deref(), Some("<|endoftext|>"));
    assert_eq!(u64::from(end) + 1, tokenizer.facts().vocabulary);
    for text in [
        "<|endoftext|>",
        "a<|endoftext|><|endoftext|>\n",
        "<|endoftext",
        "<|<|endoftext|>endoftext|>",
    ] {
        let ids = encode(&tokenizer, text);
        assert!(!ids.contains(&end), "{text}");
        assert_eq!(tokenizer.library.decode(&ids, false).unwrap(), text);
    }
}

/// Whole words, of which `[SEP]` is one, so that cutting at white space finds it.
fn words() -> Value {
    json!({
        "version": "1.0", "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [
            {"id": 1, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
            {"id": 2, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
        ],
        "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[SEP]", 1]},
        "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
            "vocab": {"[PAD]": 0, "[SEP]": 1, "[UNK]": 2, "one": 3, "two": 4, "[": 5, "SEP]": 6}},
    })
}

#[test]
fn a_word_that_is_a_special_token_is_cut_in_two() {
    let tokenizer = read(&words()).unwrap();
    assert_eq!(tokenizer.facts().end_of_text_id, Some(1));
    assert_eq!(encode(&tokenizer, "one [SEP] two [SEP]"), [3, 5, 6, 4, 5, 6]);
    // Nothing is cut off, filled up or put around, and an unknown word is one.
    assert_eq!(encode(&tokenizer, "one two one what"), [3, 4, 3, 2]);
}

#[test]
fn a_token_that_no_cut_takes_apart_is_an_error() {
    let mut file = words();
    file["added_tokens"][0]["content"] = json!("§");
    file["model"]["vocab"] = json!({"[PAD]": 0, "§": 1, "[UNK]": 2});
    file["post_processor"] = Value::Null;
    let tokenizer =
        CorpusTokenizer::from_json(file.to_string().as_bytes(), "x", Some("§")).unwrap();
    let error = tokenizer.encoder().append("a § b", &mut Vec::new()).unwrap_err();
    assert!(error.contains("special token"), "{error}");
}

#[test]
fn long_texts_are_cut_where_that_changes_nothing() {
    let mut file = words();
    let tokenizer = read(&file).unwrap();
    assert!(tokenizer.cuts_at_space);
    let text = "one  two\n\nthree ".repeat(20_000);
    assert_eq!(encode(&tokenizer, &text), by_the_library(&tokenizer, &text));
    file["pre_tokenizer"] = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false});
    let tokenizer = read(&file).unwrap();
    let error = tokenizer.encoder().append(&"x".repeat(3 << 20), &mut Vec::new()).unwrap_err();
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn words_that_a_file_adds_are_found_first() {
    let mut file = gpt2();
    let id = file["added_tokens"][0]["id"].as_u64().unwrap() + 1;
    file["added_tokens"].as_array_mut().unwrap().push(json!({
        "id": id, "content": "the in", "single_word": false, "lstrip": true, "rstrip": false, "normalized": true,
        "special": false,
    }));
    let tokenizer = read(&file).unwrap();
    let ids = encode(&tokenizer, "a  the in12 <|endoftext|>");
    assert!(ids.contains(&(id as u32)));
    assert_eq!(ids, by_the_library(&tokenizer, "a  the in12 <|endoftext|>"));
}

#[test]
fn what_ends_texts_is_named_or_known() {
    let json = gpt2().to_string();
    let with =
        |end| CorpusTokenizer::from_json(json.as_bytes(), "tiny", end).map(|it| it.facts().clone());
    assert!(with(Some("<|endoftext|>")).is_ok());
    for token in ["the", "<|nothing|>"] {
        let error = with(Some(token)).unwrap_err();
        assert!(error.contains(token), "{error}");
    }
    let mut file = gpt2();
    file["added_tokens"][0]["content"] = json!("<|stop|>");
    assert_eq!(read(&file).unwrap().facts().end_of_text, None);
}

/// A change to a sound file, and a word of what is said about it.
type Change = (fn(&mut Value), &'static str);

#[test]
fn hostile_files_are_named_errors() {
    let changes: [Change; 9] = [
        (|file| file["model"]["dropout"] = json!(0.1), "chance"),
        (|file| file["model"] = Value::Null, "no tokenizer.json"),
        (|file| file["model"]["merges"] = json!([["the", "nothing"]]), "nothing"),
        (|file| file["model"]["type"] = json!("Oracle"), ""),
        (|file| file["model"]["vocab"]["a"] = json!(u32::MAX), "ids are the most"),
        (
            |file| {
                file["normalizer"] = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "b".repeat(99)})
            },
            "at once",
        ),
        (
            |file| file["normalizer"] = json!({"type": "Replace", "pattern": {"Regex": r"(?:a|aa|a(?!b))+(?!a)c"}, "content": ""}),
            "acktrack",
        ),
        (
            |file| file["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false}),
            "expression",
        ),
        (
            |file| {
                let split = json!({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated", "invert": false});
                file["pre_tokenizer"] =
                    json!({"type": "Sequence", "pretokenizers": vec![split; 17]});
            },
            "regular expressions",
        ),
    ];
    for (change, word) in changes {
        let mut file = gpt2();
        change(&mut file);
        let error = read(&file).err().unwrap_or_else(|| panic!("{word} is accepted"));
        assert!(error.contains(word), "{error}");
    }
    for json in ["", "[]", "{", &"[".repeat(100_000), "\0", "{\"model\": {}}"] {
        assert!(CorpusTokenizer::from_json(json.as_bytes(), "x", None).is_err(), "{json:.20}");
    }
}
