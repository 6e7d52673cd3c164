//! The entries of a vocabulary: what is text, what is a mark, and how text becomes tokens.

use std::collections::HashSet;

use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt, Value};

use super::marks::Marks;
use super::pieces::Pieces;

/// Longest single token, in bytes of its spelling.
const TOKEN_BYTES_MAX: u64 = 1_024;
/// Most tokens; the largest published vocabularies have half as many.
const TOKENS_MAX: u64 = 524_288;
/// Marks that end an answer besides those that the file names.
pub(super) const END_MARKS: [&str; 7] = [
    "<|endoftext|>",
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "</s>",
];

/// What an entry of the vocabulary is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text that byte-pair encoding may make.
    Text,
    /// Text that is looked for as a whole, before any other text is cut ("user-defined").
    Whole,
    /// A mark between texts ("control"): no text makes it, and it adds none to an answer.
    Mark,
    /// Unknown or unused: as a mark, but no template spells it either.
    Silent,
}

/// A vocabulary's entries with their kinds; the position is the token.
pub(super) struct Entries<'a> {
    pub(super) spellings: &'a [String],
    pub(super) kinds: Vec<Kind>,
}

impl<'a> Entries<'a> {
    pub(super) fn read(metadata: &'a Metadata) -> Result<Self, LoadError> {
        let spellings = metadata.texts("tokenizer.ggml.tokens")?;
        if spellings.is_empty() {
            return Err(LoadError::malformed("tokenizer.ggml.tokens", "holds no token"));
        }
        LoadError::check_limit("the number of tokens", spellings.len() as u64, TOKENS_MAX)?;
        for spelling in spellings {
            LoadError::check_limit("a token, in bytes,", spelling.len() as u64, TOKEN_BYTES_MAX)?;
        }
        if spellings.iter().collect::<HashSet<_>>().len() < spellings.len() {
            return Err(LoadError::malformed("tokenizer.ggml.tokens", "holds a token twice"));
        }
        let kinds = kinds(metadata, spellings)?;
        Ok(Self { spellings, kinds })
    }

    /// Spellings and tokens of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (&'a String, u32)> {
        let entries = self.spellings.iter().zip(0..).zip(&self.kinds);
        entries.filter(move |(_, found)| **found == kind).map(|(entry, _)| entry)
    }

    /// The search for all entries of one kind.
    pub(super) fn marks(&self, kind: Kind) -> Result<Marks, LoadError> {
        Marks::new(self.of(kind).map(|(spelling, id)| (spelling.clone(), id)).collect())
    }

    /// Byte-pair encoding over what is text and nothing else, so that no text becomes a mark.
    ///
    /// There is no unknown token: a byte that the vocabulary lacks is left out, never turned into
    /// a mark.
    pub(super) fn encoder(&self, metadata: &Metadata) -> Result<Tokenizer, LoadError> {
        let pieces = Pieces::read(metadata)?;
        let vocabulary: Vocab =
            self.of(Kind::Text).map(|(spelling, id)| (spelling.clone(), id)).collect();
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
            .ignore_merges(pieces.takes_whole_tokens())
            .build()
            .map_err(|error| LoadError::malformed("tokenizer.ggml.merges", error.to_string()))?;
        let mut tokenizer = Tokenizer::new(model);
        pieces.install(&mut tokenizer)?;
        Ok(tokenizer)
    }
}

fn kinds(metadata: &Metadata, spellings: &[String]) -> Result<Vec<Kind>, LoadError> {
    const KEY: &str = "tokenizer.ggml.token_type";
    let codes = match metadata.get(KEY) {
        Some(Value::Integers(codes)) => codes,
        _ => {
            return Err(LoadError::Metadata {
                key: KEY.to_owned(),
                expected: "a list of integers",
            });
        }
    };
    if codes.len() != spellings.len() {
        let detail = format!("{} types for {} tokens", codes.len(), spellings.len());
        return Err(LoadError::malformed(KEY, detail));
    }
    spellings.iter().zip(codes).map(|(spelling, code)| kind(spelling, *code)).collect()
}

fn kind(spelling: &str, code: i64) -> Result<Kind, LoadError> {
    Ok(match code {
        // Some converters forget that a mark which ends answers is no text. Ordinary text may well
        // spell one, though: Llama 3 has `</s>`, which HTML knows too.
        4 if END_MARKS.contains(&spelling) => Kind::Mark,
        1 => Kind::Text,
        3 => Kind::Mark,
        4 => Kind::Whole,
        2 | 5 => Kind::Silent,
        other => {
            let detail = format!("{other} is no type of a byte-level vocabulary");
            return Err(LoadError::malformed("tokenizer.ggml.token_type", detail));
        }
    })
}
