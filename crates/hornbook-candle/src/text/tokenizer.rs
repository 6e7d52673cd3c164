//! The tokenizer that a GGUF file carries.

use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{PreTokenizerWrapper, Tokenizer};

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt, Value};

use super::bytes::bytes_of;
use super::shield::unshielded;

/// Longest single token, in bytes of its spelling.
const TOKEN_BYTES_MAX: u64 = 1_024;
/// `tokenizer.ggml.token_type` of tokens that are marks, not text.
const CONTROL: i64 = 3;
/// Marks that end an answer besides the one the file names as its end of sequence.
const END_MARKS: [&str; 6] =
    ["<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|end_of_text|>", "</s>"];

/// Text to tokens and back, for one model.
pub(crate) struct TextTokenizer {
    /// Knows no marks, so that no text can turn into one.
    plain: Tokenizer,
    /// Bytes of each token; none for marks.
    bytes: Vec<Vec<u8>>,
    /// Marks by spelling, longest first.
    marks: Vec<(String, u32)>,
    ends: Vec<u32>,
    begin: Option<u32>,
    end: Option<u32>,
    begins_every_prompt: bool,
}

impl TextTokenizer {
    /// Builds the tokenizer; one whose way of cutting text nobody verified is refused.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        check_kind(metadata)?;
        let entries = metadata.texts("tokenizer.ggml.tokens")?;
        if entries.is_empty() {
            return Err(LoadError::malformed("tokenizer.ggml.tokens", "holds no token"));
        }
        let kinds = token_kinds(metadata, entries.len())?;
        let plain = build_plain(metadata, entries)?;
        let mut bytes = Vec::with_capacity(entries.len());
        let mut marks = Vec::new();
        for (id, (entry, kind)) in entries.iter().zip(kinds).enumerate() {
            LoadError::check_limit("a token, in bytes,", entry.len() as u64, TOKEN_BYTES_MAX)?;
            if *kind == CONTROL {
                if entry.is_empty() {
                    return Err(LoadError::malformed("tokenizer.ggml.tokens", "has an empty mark"));
                }
                marks.push((entry.clone(), id as u32));
                bytes.push(Vec::new());
            } else {
                // A token added by hand may hold characters as themselves.
                bytes.push(bytes_of(entry).unwrap_or_else(|| entry.clone().into_bytes()));
            }
        }
        marks.sort_by(|left, right| right.0.len().cmp(&left.0.len()).then(left.1.cmp(&right.1)));
        let special = |key| special_id(metadata, key, entries.len());
        let begin = special("tokenizer.ggml.bos_token_id")?;
        let end = special("tokenizer.ggml.eos_token_id")?;
        let mut ends: Vec<u32> = marks
            .iter()
            .filter(|(text, _)| END_MARKS.contains(&text.as_str()))
            .map(|(_, id)| *id)
            .collect();
        ends.extend(end);
        ends.sort_unstable();
        ends.dedup();
        let begins_every_prompt = metadata.flag("tokenizer.ggml.add_bos_token");
        Ok(Self { plain, bytes, marks, ends, begin, end, begins_every_prompt })
    }

    /// Tokens that there are.
    pub(crate) fn vocabulary(&self) -> usize {
        self.bytes.len()
    }

    /// True for the marks that end an answer.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.binary_search(&token).is_ok()
    }

    /// The marks that end an answer, rising.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Spellings of all marks, longest first.
    pub(crate) fn marks(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().map(|(text, _)| text.as_str())
    }

    /// Spelling of the mark that begins a sequence, empty where there is none.
    pub(crate) fn begin_text(&self) -> &str {
        self.mark_text(self.begin)
    }

    /// Spelling of the mark that ends a sequence, empty where there is none.
    pub(crate) fn end_text(&self) -> &str {
        self.mark_text(self.end)
    }

    fn mark_text(&self, id: Option<u32>) -> &str {
        let mark = self.marks.iter().find(|(_, mark)| Some(*mark) == id);
        mark.map_or("", |(text, _)| text)
    }

    /// Tokens of a text in which nothing is a mark.
    pub(crate) fn encode_plain(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.plain.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokens of a rendered prompt: marks become their tokens, and `shield` vanishes from the
    /// text between them, after it kept text from looking like a mark.
    pub(crate) fn encode_prompt(&self, text: &str, shield: char) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, mark) = self.cut_at_mark(rest);
            let text = unshielded(plain, shield);
            if !text.is_empty() {
                tokens.extend(self.encode_plain(&text)?);
            }
            let mark_bytes = mark.map_or(0, |(text, _)| text.len());
            tokens.extend(mark.map(|(_, id)| *id));
            rest = &rest[plain.len() + mark_bytes..];
        }
        if self.begins_every_prompt
            && let Some(begin) = self.begin
            && tokens.first() != Some(&begin)
        {
            tokens.insert(0, begin);
        }
        Ok(tokens)
    }

    /// The text before the first mark, and that mark; the longest where several begin there.
    fn cut_at_mark<'a>(&self, text: &'a str) -> (&'a str, Option<&(String, u32)>) {
        for (at, _) in text.char_indices() {
            let mark = self.marks.iter().find(|(mark, _)| text[at..].starts_with(mark.as_str()));
            if mark.is_some() {
                return (&text[..at], mark);
            }
        }
        (text, None)
    }

    /// The bytes that a token adds to an answer.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }
}

fn check_kind(metadata: &Metadata) -> Result<(), LoadError> {
    let model = metadata.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(LoadError::Unsupported {
            what: format!("the tokenizer model {model:?}"),
            runs: "byte-level BPE, which GGUF calls \"gpt2\"",
        });
    }
    let pre = metadata.text("tokenizer.ggml.pre")?;
    if pre != "smollm" {
        return Err(LoadError::Unsupported {
            what: format!("the pre-tokenizer {pre:?}, which was not verified against a reference"),
            runs: "\"smollm\"",
        });
    }
    Ok(())
}

fn token_kinds(metadata: &Metadata, tokens: usize) -> Result<&[i64], LoadError> {
    match metadata.get("tokenizer.ggml.token_type") {
        Some(Value::Integers(kinds)) if kinds.len() == tokens => Ok(kinds),
        Some(Value::Integers(kinds)) => Err(LoadError::malformed(
            "tokenizer.ggml.token_type",
            format!("{} types for {tokens} tokens", kinds.len()),
        )),
        _ => Err(LoadError::Metadata {
            key: "tokenizer.ggml.token_type".to_owned(),
            expected: "a list of integers",
        }),
    }
}

fn special_id(metadata: &Metadata, key: &str, tokens: usize) -> Result<Option<u32>, LoadError> {
    match metadata.integer(key) {
        None => Ok(None),
        Some(id) if (0..tokens as i64).contains(&id) => Ok(Some(id as u32)),
        Some(id) => Err(LoadError::malformed(key, format!("{id} is not among {tokens} tokens"))),
    }
}

/// Digits one by one, then GPT-2's pattern over bytes: what SmolLM2's published tokenizer does.
/// No unknown token: a byte that the vocabulary lacks is left out, never turned into a mark.
fn build_plain(metadata: &Metadata, entries: &[String]) -> Result<Tokenizer, LoadError> {
    let vocabulary: Vocab = entries.iter().cloned().zip(0..).collect();
    if vocabulary.len() < entries.len() {
        return Err(LoadError::malformed("tokenizer.ggml.tokens", "holds a token twice"));
    }
    let merges = metadata
        .texts("tokenizer.ggml.merges")?
        .iter()
        .map(|merge| {
            // Checked here, because the library panics where a merge makes a token that is
            // longer than any that there is.
            let (left, right) = merge.split_once(' ')?;
            let known = |text: &str| vocabulary.contains_key(text);
            let merged = known(left) && known(right) && known(&format!("{left}{right}"));
            merged.then(|| (left.to_owned(), right.to_owned()))
        })
        .collect::<Option<Merges>>()
        .ok_or_else(|| {
            LoadError::malformed("tokenizer.ggml.merges", "holds a merge of unknown tokens")
        })?;
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .build()
        .map_err(|error| LoadError::malformed("tokenizer.ggml.merges", error.to_string()))?;
    let mut tokenizer = Tokenizer::new(model);
    let steps: Vec<PreTokenizerWrapper> =
        vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()];
    tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
    Ok(tokenizer)
}
