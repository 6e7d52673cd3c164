//! What a `tokenizer.json` asks for, read before the library reads it.

use serde::Deserialize;
use serde_json::Value;

use super::limits::{ADDED_TOKENS, EXPRESSION_BYTES, EXPRESSIONS, REPLACEMENT_BYTES, WORD_CHARS};

/// The parts that decide how texts are cut; what else there is, is the library's alone.
#[derive(Deserialize)]
pub(super) struct Shape {
    pub(super) normalizer: Option<Value>,
    pub(super) pre_tokenizer: Option<Value>,
    #[serde(default)]
    pub(super) added_tokens: Vec<Added>,
    pub(super) model: Model,
}

/// A token beside the model's.
#[derive(Deserialize)]
pub(super) struct Added {
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
}

/// The model without its vocabulary.
#[derive(Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    dropout: Option<f64>,
    pub(super) unk_token: Option<String>,
    pub(super) unk_id: Option<u32>,
    max_input_chars_per_word: Option<u64>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    alpha: Option<f64>,
}

/// One step of cutting texts into words before the bytes of each become tokens.
pub(super) enum Step {
    /// At digits, each alone or in runs.
    Digits { each_alone: bool },
    /// At every match of an expression.
    Expression(String),
}

impl Shape {
    /// Reads a file and refuses what would cost too much, or come out otherwise each time.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let shape: Self = serde_json::from_slice(json)
            .map_err(|error| format!("is no tokenizer.json: {error}"))?;
        if shape.added_tokens.len() > ADDED_TOKENS {
            return Err(format!("adds more than {ADDED_TOKENS} tokens"));
        }
        let model = &shape.model;
        if model.dropout.is_some_and(|share| share > 0.0) || model.alpha.is_some_and(|it| it > 0.0)
        {
            return Err(
                "draws tokens by chance: without dropout, texts have one spelling".to_owned()
            );
        }
        if model.max_input_chars_per_word.is_some_and(|chars| chars > WORD_CHARS) {
            return Err(format!("max_input_chars_per_word is more than {WORD_CHARS}"));
        }
        if let Some(long) = shape.longest_replacement().filter(|it| *it > REPLACEMENT_BYTES) {
            return Err(format!(
                "a normaliser writes {long} bytes at once, more than {REPLACEMENT_BYTES}"
            ));
        }
        Ok(shape)
    }

    /// Every expression in the file.
    pub(super) fn expressions(&self) -> Result<Vec<&str>, String> {
        let mut found = Vec::new();
        for part in [&self.normalizer, &self.pre_tokenizer].into_iter().flatten() {
            texts_at(part, "Regex", &mut found);
        }
        if found.len() > EXPRESSIONS {
            return Err(format!("has more than {EXPRESSIONS} regular expressions"));
        }
        match found.iter().find(|it| it.len() > EXPRESSION_BYTES) {
            Some(_) => Err(format!("has an expression of more than {EXPRESSION_BYTES} bytes")),
            None => Ok(found),
        }
    }

    fn longest_replacement(&self) -> Option<usize> {
        let mut found = Vec::new();
        for name in ["content", "prepend"] {
            self.normalizer.iter().for_each(|part| texts_at(part, name, &mut found));
        }
        found.iter().map(|text| text.len()).max()
    }

    /// The steps of a byte-level BPE tokenizer that has no others.
    pub(super) fn byte_level_steps(&self) -> Option<Vec<Step>> {
        let model = &self.model;
        let is_plain = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
        let is_bpe = model.kind.as_deref() == Some("BPE")
            && is_plain(&model.continuing_subword_prefix)
            && is_plain(&model.end_of_word_suffix);
        if !is_bpe || !(self.normalizer.is_none() || self.is_nfc()) {
            return None;
        }
        let mut parts = Vec::new();
        flatten(self.pre_tokenizer.as_ref()?, "pretokenizers", &mut parts);
        let (last, before) = parts.split_last()?;
        if kind_of(last) != Some("ByteLevel") || flag(last, "add_prefix_space").unwrap_or(true) {
            return None;
        }
        let mut steps = before.iter().map(|part| step(part)).collect::<Option<Vec<_>>>()?;
        if flag(last, "use_regex").unwrap_or(true) {
            steps.push(Step::Expression(super::cut::GPT2.to_owned()));
        }
        Some(steps)
    }

    /// Whether texts are put into NFC and changed in no other way.
    pub(super) fn is_nfc(&self) -> bool {
        self.normalizer.as_ref().and_then(kind_of) == Some("NFC")
    }

    /// Whether no token reaches over white space and nothing depends on what is before or behind it.
    pub(super) fn cuts_at_space(&self) -> bool {
        let mut parts = Vec::new();
        if let Some(cutter) = &self.pre_tokenizer {
            flatten(cutter, "pretokenizers", &mut parts);
        }
        let drops_space = |part: &&&Value| {
            matches!(kind_of(part), Some("BertPreTokenizer" | "Whitespace" | "WhitespaceSplit"))
        };
        let mut changes = Vec::new();
        if let Some(normaliser) = &self.normalizer {
            flatten(normaliser, "normalizers", &mut changes);
        }
        let is_local = |part: &&Value| {
            matches!(
                kind_of(part),
                Some(
                    "BertNormalizer"
                        | "Lowercase"
                        | "NFC"
                        | "NFD"
                        | "NFKC"
                        | "NFKD"
                        | "StripAccents"
                )
            )
        };
        parts.iter().take(1).any(|part| drops_space(&part))
            && changes.iter().all(is_local)
            && self.added_tokens.iter().all(|added| added.special)
    }
}

fn step(part: &Value) -> Option<Step> {
    match kind_of(part)? {
        "Digits" => Some(Step::Digits { each_alone: flag(part, "individual_digits")? }),
        "Split" => {
            let isolated = part.get("behavior").and_then(Value::as_str) == Some("Isolated");
            let pattern = part.get("pattern")?.get("Regex")?.as_str()?;
            (isolated && flag(part, "invert") == Some(false))
                .then(|| Step::Expression(pattern.to_owned()))
        }
        _ => None,
    }
}

fn kind_of(part: &Value) -> Option<&str> {
    part.get("type").and_then(Value::as_str)
}

fn flag(part: &Value, name: &str) -> Option<bool> {
    part.get(name).and_then(Value::as_bool)
}

/// The parts of a sequence within a sequence, in order.
fn flatten<'a>(part: &'a Value, list: &str, parts: &mut Vec<&'a Value>) {
    match part.get(list).and_then(Value::as_array) {
        Some(inner) if kind_of(part) == Some("Sequence") => {
            inner.iter().for_each(|part| flatten(part, list, parts));
        }
        _ => parts.push(part),
    }
}

/// Every text that lies under a name, however deep; the JSON reader bounds how deep that is.
fn texts_at<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Value::String(text) if field == name => found.push(text),
                    value => texts_at(value, name, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_at(item, name, found)),
        _ => {}
    }
}
