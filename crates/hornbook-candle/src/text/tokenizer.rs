//! The tokenizer that a GGUF file carries.

use tokenizers::Tokenizer;

use crate::LoadError;
use crate::gguf::{Metadata, MetadataExt, Value};

use super::bytes::bytes_of;
use super::marks::{Marks, Part};
use super::pieces::Pieces;
use super::shield::unshielded;
use super::vocabulary::{END_MARKS, Entries, Kind};

/// Marks that the file names as ends of an answer, of a turn or of a message.
const END_KEYS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// Text to tokens and back, for one model.
pub(crate) struct TextTokenizer {
    /// Knows no marks, so that no text can turn into one.
    plain: Tokenizer,
    /// Bytes of each token; none for marks.
    bytes: Vec<Vec<u8>>,
    /// Marks between texts, which only a template spells.
    marks: Marks,
    /// Tokens that text is searched for before it is cut.
    wholes: Marks,
    ends: Vec<u32>,
    begin: Option<u32>,
    begin_text: String,
    end_text: String,
    begins_every_prompt: bool,
}

impl TextTokenizer {
    /// Builds the tokenizer; one whose way of cutting text nobody verified is refused.
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, LoadError> {
        let model = metadata.text("tokenizer.ggml.model")?;
        if model != "gpt2" {
            return Err(LoadError::Unsupported {
                what: format!("the tokenizer model {model:?}"),
                runs: "byte-level BPE, which GGUF calls \"gpt2\"",
            });
        }
        let entries = Entries::read(metadata)?;
        let plain = entries.encoder(metadata)?;
        let tokens = entries.spellings.len();
        let bytes = entries.spellings.iter().zip(&entries.kinds).map(|(spelling, kind)| {
            match kind {
                // A token added by hand may hold characters as themselves.
                Kind::Text => bytes_of(spelling).unwrap_or_else(|| spelling.clone().into_bytes()),
                Kind::Whole => spelling.clone().into_bytes(),
                Kind::Mark | Kind::Silent => Vec::new(),
            }
        });
        let marks = entries.marks(Kind::Mark)?;
        let special = |key| special_id(metadata, key, tokens);
        let mark_text = |id: Option<u32>| {
            let mark = marks.iter().find(|(_, mark)| Some(*mark) == id);
            mark.map_or_else(String::new, |(text, _)| text.to_owned())
        };
        let begin = special("tokenizer.ggml.bos_token_id")?;
        let end_text = mark_text(special(END_KEYS[0])?);
        let mut ends: Vec<u32> =
            marks.iter().filter(|(text, _)| END_MARKS.contains(text)).map(|(_, id)| id).collect();
        for key in END_KEYS {
            ends.extend(special(key)?);
        }
        ends.sort_unstable();
        ends.dedup();
        let begins_every_prompt = match metadata.get("tokenizer.ggml.add_bos_token") {
            Some(Value::Flag(begins)) => *begins,
            _ => Pieces::read(metadata)?.begins_by_default(),
        };
        Ok(Self {
            plain,
            bytes: bytes.collect(),
            begin_text: mark_text(begin),
            wholes: entries.marks(Kind::Whole)?,
            marks,
            ends,
            begin,
            end_text,
            begins_every_prompt,
        })
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

    /// The marks, which no text becomes.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Spelling of the mark that begins a sequence, empty where there is none.
    pub(crate) fn begin_text(&self) -> &str {
        &self.begin_text
    }

    /// Spelling of the mark that ends a sequence, empty where there is none.
    pub(crate) fn end_text(&self) -> &str {
        &self.end_text
    }

    /// Tokens of a text in which nothing is a mark.
    pub(crate) fn encode_plain(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::new();
        for part in self.wholes.cut(text) {
            match part {
                Part::Mark(token) => tokens.push(token),
                Part::Text(text) => {
                    let encoding = self.plain.encode_fast(text, false);
                    tokens.extend(encoding.map_err(|error| error.to_string())?.get_ids());
                }
            }
        }
        Ok(tokens)
    }

    /// Tokens of a rendered prompt: marks become their tokens, and `shield` vanishes from the
    /// text between them, after it kept text from looking like a mark.
    pub(crate) fn encode_prompt(&self, text: &str, shield: char) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::new();
        for part in self.marks.cut(text) {
            match part {
                Part::Mark(token) => tokens.push(token),
                Part::Text(text) => tokens.extend(self.encode_plain(&unshielded(text, shield))?),
            }
        }
        if self.begins_every_prompt
            && let Some(begin) = self.begin
            && tokens.first() != Some(&begin)
        {
            tokens.insert(0, begin);
        }
        Ok(tokens)
    }

    /// The bytes that a token adds to an answer.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }
}

fn special_id(metadata: &Metadata, key: &str, tokens: usize) -> Result<Option<u32>, LoadError> {
    match metadata.integer(key) {
        None => Ok(None),
        Some(id) if (0..tokens as i64).contains(&id) => Ok(Some(id as u32)),
        Some(id) => Err(LoadError::malformed(key, format!("{id} is not among {tokens} tokens"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All bytes, then `more` with their kinds; "a b" and "ab c" merge.
    fn metadata(pre: &str, more: &[(&str, i64)]) -> Metadata {
        let bytes = (0..0x200).filter_map(char::from_u32).map(String::from);
        let bytes = bytes.filter(|entry| bytes_of(entry).is_some()).map(|entry| (entry, 1));
        let merged = ["ab", "abc"].map(|entry| (entry.to_owned(), 1));
        let more = more.iter().map(|(entry, kind)| ((*entry).to_owned(), *kind));
        let (entries, kinds) = bytes.chain(merged).chain(more).unzip();
        let text = |text: &str| Value::Text(text.to_owned());
        let merges = ["a b", "ab c"].map(str::to_owned).to_vec();
        [
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text(pre)),
            ("tokenizer.ggml.tokens", Value::Texts(entries)),
            ("tokenizer.ggml.token_type", Value::Integers(kinds)),
            ("tokenizer.ggml.merges", Value::Texts(merges)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    fn spelled(tokenizer: &TextTokenizer, text: &str) -> Vec<u32> {
        tokenizer.encode_plain(text).expect("every text has tokens")
    }

    #[test]
    fn whole_tokens_are_text_and_marks_are_not() {
        let more = [("<think>", 4), ("ab!", 4), ("<|end|>", 3), ("unused", 5), ("</s>", 1)];
        let tokenizer = TextTokenizer::read(&metadata("qwen2", &more)).expect("it is sound");
        assert_eq!(spelled(&tokenizer, "a<think>ab!ab"), [64, 258, 259, 256]);
        assert_eq!(spelled(&tokenizer, "<|end|>").len(), 7);
        assert_eq!(spelled(&tokenizer, "unused").len(), 6);
        assert_eq!(tokenizer.bytes(258), b"<think>");
        assert_eq!(tokenizer.bytes(260), b"");
        assert_eq!(tokenizer.bytes(262), b"</s>", "ordinary text may spell a mark");
        let prompt = tokenizer.encode_prompt("<think>\n<|end|>unused", '\u{fdd0}');
        assert_eq!(prompt.expect("tokens").len(), 1 + 1 + 1 + 6);
        assert!(!tokenizer.is_end(260) && !tokenizer.is_end(262));
    }

    #[test]
    fn forgotten_end_marks_are_marks() {
        let more = [("<|im_end|>", 4), ("<|eot_id|>", 3)];
        let tokenizer = TextTokenizer::read(&metadata("qwen2", &more)).expect("it is sound");
        assert_eq!(tokenizer.ends(), [258, 259]);
        assert_eq!(spelled(&tokenizer, "<|im_end|>").len(), 10);
    }

    #[test]
    fn no_piece_that_is_spelled_like_a_mark_becomes_it() {
        // Llama 3 takes a piece that is a token as that token: letters could spell a mark.
        let more = [("xyz", 3), ("uvw", 1), ("rst", 5)];
        let tokenizer = TextTokenizer::read(&metadata("llama-bpe", &more)).expect("it is sound");
        assert_eq!(spelled(&tokenizer, "xyz").len(), 3);
        assert_eq!(spelled(&tokenizer, "rst").len(), 3);
        assert_eq!(spelled(&tokenizer, "uvw"), [259], "no merge makes it");
        let tokenizer = TextTokenizer::read(&metadata("qwen2", &more)).expect("it is sound");
        assert_eq!(spelled(&tokenizer, "uvw").len(), 3);
    }

    #[test]
    fn llama_3_begins_prompts_unless_told_otherwise() {
        let begins = |pre, told: Option<bool>| {
            let mut metadata = metadata(pre, &[("<|begin|>", 3)]);
            let key = |part: &str| format!("tokenizer.ggml.{part}");
            metadata.insert(key("bos_token_id"), Value::Integer(258));
            metadata.extend(told.map(|told| (key("add_bos_token"), Value::Flag(told))));
            let tokenizer = TextTokenizer::read(&metadata).expect("it is sound");
            let once = tokenizer.encode_prompt("<|begin|>a", '\u{fdd0}').expect("tokens");
            assert_eq!(once, [258, 64], "never twice");
            tokenizer.encode_prompt("a", '\u{fdd0}').expect("tokens") == [258, 64]
        };
        assert!(begins("llama-bpe", None) && !begins("llama-bpe", Some(false)));
        assert!(!begins("qwen2", None) && begins("qwen2", Some(true)));
    }

    #[test]
    fn unknown_kinds_are_refused() {
        for kind in [0, 6, 7, -1] {
            let found = TextTokenizer::read(&metadata("smollm", &[("x y", kind)]));
            assert!(matches!(found, Err(LoadError::Malformed { .. })), "{kind}");
        }
    }
}
