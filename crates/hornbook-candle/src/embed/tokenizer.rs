//! WordPiece tokens of a text, from `tokenizer.json`.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::Tokenizer;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::EmbeddingLoadError as Error;
use super::files;
use super::settings::Settings;

/// Longest text that is cut into tokens, in bytes.
pub const EMBEDDING_TEXT_BYTES_MAX: usize = 1024 * 1024;

const FILE: &str = "tokenizer.json";
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A longer word is one unknown token; the search for its pieces takes the square of its length.
const WORD_CHARS_MAX: u64 = 1_000;

/// Text to tokens, for one model.
///
/// Built from the values in the file, not from the library's own reading of it: a file could ask
/// that for any expression or normaliser there is. Unlike sentence-transformers, a text that
/// spells a mark, such as `[SEP]`, is a text with brackets.
pub(super) struct Pieces {
    words: Tokenizer,
    /// The mark before every text.
    begin: u32,
    /// The mark after every text.
    end: u32,
}

#[derive(Deserialize)]
struct File {
    normalizer: Normaliser,
    pre_tokenizer: Kind,
    post_processor: Value,
    #[serde(default)]
    added_tokens: Vec<Added>,
    model: Model,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Normaliser {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    clean_text: bool,
    #[serde(default)]
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct Added {
    content: String,
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: String,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: u64,
    vocab: HashMap<String, u32>,
}

impl Pieces {
    /// Reads the tokenizer; every id that it can give is below the model's vocabulary.
    pub(super) fn read(directory: &Path, settings: &Settings) -> Result<Self, Error> {
        let file: File = files::parse(FILE, &files::needed(directory, FILE, FILE_BYTES_MAX)?)?;
        let File { normalizer, pre_tokenizer, post_processor, added_tokens, model } = file;
        for (part, kind, expected) in [
            ("normaliser", &normalizer.kind, "BertNormalizer"),
            ("pre-tokenizer", &pre_tokenizer.kind, "BertPreTokenizer"),
            ("tokenizer model", &model.kind, "WordPiece"),
        ] {
            if kind != expected {
                return Err(Error::unsupported(format!("the {part} {kind:?}")));
            }
        }
        if settings.lowercase && !normalizer.lowercase {
            return Err(Error::unsupported("do_lower_case, but a tokenizer that keeps case"));
        }
        if let Some(word) = added_tokens.iter().find(|added| !added.special) {
            return Err(Error::unsupported(format!("the added word {:?}", word.content)));
        }
        let limit = settings.vocabulary as u64;
        if let Some((token, id)) = model.vocab.iter().find(|(_, id)| u64::from(**id) >= limit) {
            let detail = format!("token {token:?} has the id {id}, and the model {limit} tokens");
            return Err(Error::malformed(FILE, detail));
        }
        let id = |token: &str| {
            model.vocab.get(token).copied().ok_or_else(|| {
                Error::malformed(FILE, format!("the vocabulary has no token {token:?}"))
            })
        };
        id(&model.unk_token)?;
        let [begin, end] = marks(&post_processor)?;
        let (begin, end) = (id(begin)?, id(end)?);
        let word_chars = model.max_input_chars_per_word;
        Error::check_limit("max_input_chars_per_word", word_chars, WORD_CHARS_MAX)?;
        let pieces = WordPiece::builder()
            .vocab(model.vocab.into_iter().collect::<Vocab>())
            .unk_token(model.unk_token)
            .continuing_subword_prefix(model.continuing_subword_prefix)
            .max_input_chars_per_word(word_chars as usize)
            .build()
            .map_err(|error| Error::malformed(FILE, error.to_string()))?;
        let mut words = Tokenizer::new(pieces);
        let normaliser = BertNormalizer::new(
            normalizer.clean_text,
            normalizer.handle_chinese_chars,
            normalizer.strip_accents,
            normalizer.lowercase,
        );
        words
            .with_normalizer(Some(normaliser))
            .map_err(|error| Error::malformed(FILE, error.to_string()))?;
        words.with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(Self { words, begin, end })
    }

    /// Tokens of a text between its two marks.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let words = self.words.encode_fast(text, false).map_err(|error| error.to_string())?;
        let mut tokens = Vec::with_capacity(words.len() + 2);
        tokens.push(self.begin);
        tokens.extend(words.get_ids());
        tokens.push(self.end);
        Ok(tokens)
    }

    /// Cuts the last tokens before the end's mark off, so that `tokens_max` are left.
    pub(super) fn cut(&self, tokens: &mut Vec<u32>, tokens_max: usize) {
        if tokens.len() > tokens_max {
            tokens.truncate(tokens_max - 1);
            tokens.push(self.end);
        }
    }
}

/// The marks before and after a single text.
fn marks(post_processor: &Value) -> Result<[&str; 2], Error> {
    let found = match post_processor["type"].as_str() {
        Some("BertProcessing") => {
            [post_processor["cls"][0].as_str(), post_processor["sep"][0].as_str()]
        }
        Some("TemplateProcessing") => {
            match post_processor["single"].as_array().map(Vec::as_slice) {
                Some([begin, text, end]) if text["Sequence"]["id"] == "A" => {
                    [&begin["SpecialToken"]["id"], &end["SpecialToken"]["id"]].map(Value::as_str)
                }
                _ => [None, None],
            }
        }
        _ => [None, None],
    };
    match found {
        [Some(begin), Some(end)] => Ok([begin, end]),
        _ => Err(Error::unsupported("marks elsewhere than one before and one after a text")),
    }
}
