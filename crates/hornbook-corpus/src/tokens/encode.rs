//! From a text to its tokens, on one thread.

use super::byte_level::Memory;
use super::limits::{CHUNK_BYTES, CUTS, PLAIN_TEXT_BYTES};
use super::tokenizer::{CorpusTokenizer, guarded};

/// Encodes texts, and remembers the words that it met.
pub struct Encoder<'a> {
    tokenizer: &'a CorpusTokenizer,
    memory: Option<Memory>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(tokenizer: &'a CorpusTokenizer) -> Self {
        Self { tokenizer, memory: tokenizer.byte_level.as_ref().map(|quick| quick.memory()) }
    }

    /// Appends the tokens of a text; none of them is special.
    pub fn append(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), String> {
        self.append_within(text, ids, CUTS)
    }

    fn append_within(&mut self, text: &str, ids: &mut Vec<u32>, cuts: usize) -> Result<(), String> {
        let start = ids.len();
        self.append_raw(text, ids)?;
        if !ids[start..].iter().any(|id| self.tokenizer.is_mark(*id)) {
            return Ok(());
        }
        if cuts == 0 {
            return Err("a text cannot be told from a special token".to_owned());
        }
        ids.truncate(start);
        let mut begun = 0;
        for end in self.cuts_inside_marks(text)?.into_iter().chain([text.len()]) {
            self.append_within(&text[begun..end], ids, cuts - 1)?;
            begun = end;
        }
        Ok(())
    }

    /// Where to cut a text so that nothing in it is spelled as a special token any more.
    fn cuts_inside_marks(&self, text: &str) -> Result<Vec<usize>, String> {
        let tokenizer = self.tokenizer;
        let encoding =
            guarded(|| tokenizer.library.encode(text, false).map_err(|error| error.to_string()))?;
        let mut cuts = Vec::new();
        for (id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
            if !tokenizer.is_mark(*id) {
                continue;
            }
            let inside = text.get(start..end).unwrap_or_default();
            let blank = inside.len() - inside.trim_start().len();
            let second = inside[blank..].char_indices().nth(1);
            let Some((second, _)) = second else {
                return Err("a text cannot be told from a special token".to_owned());
            };
            let cut = start + blank + second;
            if cuts.last().is_none_or(|last| *last < cut) {
                cuts.push(cut);
            }
        }
        Ok(cuts)
    }

    fn append_raw(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), String> {
        let tokenizer = self.tokenizer;
        if let (Some(quick), Some(memory)) = (&tokenizer.byte_level, &mut self.memory)
            && quick.takes(text)
        {
            return guarded(|| quick.append(tokenizer.library.get_model(), memory, text, ids));
        }
        let mut rest = text;
        while tokenizer.cuts_at_space && rest.len() > CHUNK_BYTES {
            let space = |byte: &u8| matches!(byte, b' ' | b'\n');
            let Some(more) = rest.as_bytes()[CHUNK_BYTES..].iter().position(space) else { break };
            let (chunk, left) = rest.split_at(CHUNK_BYTES + more);
            self.append_plain(chunk, ids)?;
            rest = left;
        }
        self.append_plain(rest, ids)
    }

    fn append_plain(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), String> {
        if text.len() > PLAIN_TEXT_BYTES {
            return Err(format!(
                "a text of {} bytes is longer than this kind of tokenizer gets: {PLAIN_TEXT_BYTES} bytes",
                text.len()
            ));
        }
        let library = &self.tokenizer.library;
        let encoding =
            guarded(|| library.encode_fast(text, false).map_err(|error| error.to_string()))?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }
}
