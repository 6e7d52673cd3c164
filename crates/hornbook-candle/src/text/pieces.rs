//! Cutting text into the pieces that byte-pair encoding works on.

use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt};

/// How a family of models cuts text: what `tokenizer.ggml.pre` names.
///
/// Only what was verified against the published tokenizers is here; a pattern that is almost right
/// gives almost the right tokens, and nobody would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pieces {
    /// SmolLM and SmolLM2: digits one by one, then GPT-2's pattern.
    SmolLm,
    /// Llama 3: digits by three, and a piece that is a token is that token, whatever the merges.
    Llama3,
    /// Qwen 2 to 3: Llama 3's pattern with digits one by one, over composed characters.
    Qwen2,
}

/// The pattern in the `tokenizer.json` of Llama 3, around what it has for digits.
const BEFORE_DIGITS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
const AFTER_DIGITS: &str = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Pieces {
    pub(super) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        match metadata.text("tokenizer.ggml.pre")? {
            "smollm" => Ok(Self::SmolLm),
            "llama-bpe" => Ok(Self::Llama3),
            "qwen2" => Ok(Self::Qwen2),
            other => Err(LoadError::Unsupported {
                what: format!(
                    "the pre-tokenizer {other:?}, which was not verified against a reference"
                ),
                runs: "\"smollm\", \"llama-bpe\" and \"qwen2\"",
            }),
        }
    }

    /// True where a piece that is a whole token is taken as that token.
    pub(super) fn takes_whole_tokens(self) -> bool {
        self == Self::Llama3
    }

    /// True where prompts begin with the mark for it unless the file says otherwise, as Llama 3's
    /// published tokenizer does.
    pub(super) fn begins_by_default(self) -> bool {
        self == Self::Llama3
    }

    /// Makes a tokenizer cut text this way.
    pub(super) fn install(self, tokenizer: &mut Tokenizer) -> Result<(), LoadError> {
        let steps: Vec<PreTokenizerWrapper> = match self {
            Self::SmolLm => {
                vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()]
            }
            Self::Llama3 => {
                vec![split(r"\p{N}{1,3}")?, ByteLevel::new(false, true, false).into()]
            }
            Self::Qwen2 => {
                tokenizer
                    .with_normalizer(Some(NFC))
                    .map_err(|error| LoadError::Start { detail: error.to_string() })?;
                vec![split(r"\p{N}")?, ByteLevel::new(false, true, false).into()]
            }
        };
        tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
        Ok(())
    }
}

fn split(digits: &str) -> Result<PreTokenizerWrapper, LoadError> {
    let pattern = SplitPattern::Regex(format!("{BEFORE_DIGITS}{digits}{AFTER_DIGITS}"));
    Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
        .map(PreTokenizerWrapper::from)
        .map_err(|error| LoadError::Start { detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use tokenizers::models::bpe::BPE;
    use tokenizers::{NormalizedString, Normalizer, OffsetReferential, OffsetType};
    use tokenizers::{PreTokenizedString, PreTokenizer};

    use super::*;
    use crate::gguf::Value;

    #[derive(Deserialize)]
    struct Reference {
        pieces: BTreeMap<String, Vec<Text>>,
    }

    #[derive(Deserialize)]
    struct Text {
        text: String,
        pieces: Vec<String>,
    }

    fn cut(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
        let mut text = NormalizedString::from(text);
        if let Some(normalizer) = tokenizer.get_normalizer() {
            normalizer.normalize(&mut text).expect("every text has a normal form");
        }
        let text = text.get().to_owned();
        let mut pieces = PreTokenizedString::from(text.clone());
        let cutter = tokenizer.get_pre_tokenizer().expect("one was installed");
        cutter.pre_tokenize(&mut pieces).expect("every text is cut");
        let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        pieces.iter().map(|(_, (start, end), _)| text[*start..*end].to_owned()).collect()
    }

    /// `fixtures/tokens.py` made the fixture with another library of regular expressions.
    #[test]
    fn pieces_are_the_published_patterns() {
        let reference: Reference =
            serde_json::from_str(include_str!("../../tests/fixtures/tokens.json"))
                .expect("the fixture parses");
        assert_eq!(reference.pieces.len(), 3);
        for (name, texts) in reference.pieces {
            let metadata = [("tokenizer.ggml.pre".to_owned(), Value::Text(name.clone()))].into();
            let pieces = Pieces::read(&metadata).expect("the name is known");
            let mut tokenizer = Tokenizer::new(BPE::default());
            pieces.install(&mut tokenizer).expect("the pattern compiles");
            assert!(!texts.is_empty());
            for Text { text, pieces } in texts {
                assert_eq!(cut(&tokenizer, &text), pieces, "{name}: {text:?}");
            }
        }
    }
}
