//! The tokenizer of an assembly, read from its file.

use std::fs::File;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hornbook_types::TokenizerFacts;
use tokenizers::Tokenizer;

use super::byte_level::ByteLevel;
use super::cut::probe;
use super::encode::Encoder;
use super::limits::{FILE_BYTES, TOKENS_PER_BYTE, VOCABULARY};
use super::shape::Shape;
use crate::error::AssembleError;
use crate::hashing::sha256_hex;

/// Special tokens that end documents, the likeliest first.
const END_OF_TEXT: [&str; 7] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
    "[EOS]",
    "[SEP]",
];

/// A tokenizer for counting tokens and for token formats.
///
/// Texts are plain to it: what spells a special token is encoded as the characters that it consists of, no token
/// is put before or behind them, and none is cut off, whatever the file says.
pub struct CorpusTokenizer {
    facts: TokenizerFacts,
    pub(super) library: Tokenizer,
    pub(super) byte_level: Option<ByteLevel>,
    pub(super) cuts_at_space: bool,
    /// One bit for every id: whether no text may become it.
    marks: Vec<u64>,
}

impl CorpusTokenizer {
    /// Reads a `tokenizer.json`; `end_of_text` names the special token that ends documents.
    pub fn read(path: &Path, name: &str, end_of_text: Option<&str>) -> Result<Self, AssembleError> {
        let wrong = |message: String| AssembleError::Tokenizer { path: path.to_owned(), message };
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        let mut json = Vec::new();
        file.take(FILE_BYTES + 1)
            .read_to_end(&mut json)
            .map_err(|error| wrong(error.to_string()))?;
        if json.len() as u64 > FILE_BYTES {
            return Err(wrong(format!("is larger than {FILE_BYTES} bytes")));
        }
        Self::from_json(&json, name, end_of_text).map_err(wrong)
    }

    pub(super) fn from_json(
        json: &[u8],
        name: &str,
        end_of_text: Option<&str>,
    ) -> Result<Self, String> {
        let shape = Shape::read(json)?;
        for expression in shape.expressions()? {
            probe(expression)?;
        }
        let library = guarded(|| library(json))?;
        let vocabulary = library.get_vocab(true);
        let largest = vocabulary.values().max().copied().map_or(0, u64::from);
        if largest >= VOCABULARY {
            return Err(format!("has the id {largest}; {VOCABULARY} ids are the most"));
        }
        let unknown =
            shape.model.unk_token.as_ref().and_then(|token| vocabulary.get(token)).copied();
        let unknown = unknown.or(shape.model.unk_id);
        let mut marks = vec![0; (largest as usize + 1).div_ceil(64)];
        for added in library.get_added_tokens_decoder() {
            let (id, token) = added;
            if token.special && Some(id) != unknown {
                marks[id as usize / 64] |= 1 << (id % 64);
            }
        }
        let mut tokenizer = Self {
            facts: TokenizerFacts {
                name: name.to_owned(),
                sha256: sha256_hex(json),
                vocabulary: largest + 1,
                end_of_text: None,
                end_of_text_id: None,
            },
            byte_level: ByteLevel::new(&shape)?,
            cuts_at_space: shape.cuts_at_space(),
            library,
            marks,
        };
        tokenizer.find_end(end_of_text)?;
        tokenizer.check_itself()?;
        Ok(tokenizer)
    }

    fn find_end(&mut self, wanted: Option<&str>) -> Result<(), String> {
        let id_of = |token: &str| self.library.token_to_id(token).filter(|id| self.is_mark(*id));
        let found = match wanted {
            Some(token) => {
                let id = id_of(token).ok_or_else(|| {
                    format!(
                        "has no special token {token:?} that no text becomes, to end documents with"
                    )
                })?;
                Some((token, id))
            }
            None => END_OF_TEXT.iter().find_map(|token| id_of(token).map(|id| (*token, id))),
        };
        self.facts.end_of_text = found.map(|(token, _)| token.to_owned());
        self.facts.end_of_text_id = found.map(|(_, id)| id);
        Ok(())
    }

    /// Holds the quick way against the library, and the library against its bounds, on a text with a bit of everything.
    fn check_itself(&mut self) -> Result<(), String> {
        for text in CHECKED {
            let slow = guarded(|| self.plain(text))?;
            if slow.len() > TOKENS_PER_BYTE * text.len() {
                return Err(format!("makes more than {TOKENS_PER_BYTE} tokens of a byte"));
            }
            let Some(quick) = &self.byte_level else { continue };
            if !quick.takes(text) {
                continue;
            }
            let mut ids = Vec::new();
            quick.append(self.library.get_model(), &mut quick.memory(), text, &mut ids)?;
            if ids != slow {
                self.byte_level = None;
            }
        }
        Ok(())
    }

    fn plain(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.library.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// What a manifest says of it.
    pub fn facts(&self) -> &TokenizerFacts {
        &self.facts
    }

    /// Whether it is a special token, which no text becomes.
    pub(super) fn is_mark(&self, id: u32) -> bool {
        let bits = self.marks.get(id as usize / 64).copied().unwrap_or(0);
        bits >> (id % 64) & 1 == 1
    }

    /// Something that encodes texts on one thread.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder::new(self)
    }
}

/// Texts in which every way of cutting finds something.
const CHECKED: [&str; 3] = [
    "The 3 quick brown foxes, don't they'LL jump?\n\n\tif (x != 10_000) {\r\n    return -1;\n}  ",
    "  naïve caf\u{e9} \u{4e2d}\u{6587} \u{1f600}\u{1f1e9}\u{1f1ea} ½ ٣٤ ǅ \u{a0}\u{2003}x   12345 \u{301}e\u{301} ß",
    "\u{0}\u{7f}\u{feff}\u{200b} 'S 're''ve \r \n a\u{2028}b ... --- ___ <|endoftext|> </s> [SEP] ",
];

fn library(json: &[u8]) -> Result<Tokenizer, String> {
    let wrong = |error: tokenizers::Error| error.to_string();
    let mut library = Tokenizer::from_bytes(json).map_err(wrong)?;
    library.with_truncation(None).map_err(wrong)?;
    library.with_padding(None);
    library.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
    library.set_encode_special_tokens(true);
    Ok(library)
}

/// The library takes files at their word here and there, and panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err("the tokenizer contradicts itself".to_owned()))
}
