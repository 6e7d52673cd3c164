//! Byte-level BPE as most language models have it, a word at a time.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use tokenizers::Model as _;
use tokenizers::models::ModelWrapper;
use unicode_normalization::{IsNormalized, is_nfc_quick};

use super::cut::{Cutter, CutterMemory};
use super::shape::{Shape, Step};
use super::words::Words;

/// How a tokenizer cuts texts whose words then stand alone: the tokens of a text are those of its words in a row.
///
/// It gives what the library gives, which spends most of its time on noting where each character came from.
pub(super) struct ByteLevel {
    cuts: Vec<Cut>,
    /// Texts must be in NFC already.
    wants_nfc: bool,
    /// Tokens that are looked for in texts before they are cut: those texts are left to the library.
    added: Option<AhoCorasick>,
}

enum Cut {
    Digits { each_alone: bool },
    Expression(Cutter),
}

/// What one thread needs.
pub(super) struct Memory {
    cuts: Vec<CutterMemory>,
    words: Words,
}

impl ByteLevel {
    /// The way of a tokenizer of that kind; none for the others.
    pub(super) fn new(shape: &Shape) -> Result<Option<Self>, String> {
        let Some(steps) = shape.byte_level_steps() else { return Ok(None) };
        let cut = |step| match step {
            Step::Digits { each_alone } => Ok(Cut::Digits { each_alone }),
            Step::Expression(expression) => Cutter::new(&expression).map(Cut::Expression),
        };
        let added: Vec<&str> = shape
            .added_tokens
            .iter()
            .filter(|added| !added.special && !added.content.is_empty())
            .map(|added| added.content.as_str())
            .collect();
        let added = match added.is_empty() {
            true => None,
            false => Some(AhoCorasick::new(added).map_err(|error| error.to_string())?),
        };
        let cuts = steps.into_iter().map(cut).collect::<Result<_, String>>()?;
        Ok(Some(Self { cuts, wants_nfc: shape.is_nfc(), added }))
    }

    pub(super) fn memory(&self) -> Memory {
        let memory_of = |cut: &Cut| match cut {
            Cut::Digits { .. } => None,
            Cut::Expression(cutter) => cutter.memory(),
        };
        Memory { cuts: self.cuts.iter().map(memory_of).collect(), words: Words::default() }
    }

    /// Whether this way gives a text's tokens.
    pub(super) fn takes(&self, text: &str) -> bool {
        let is_normal =
            !self.wants_nfc || text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes;
        is_normal && self.added.as_ref().is_none_or(|added| !added.is_match(text))
    }

    /// Appends the tokens of a text.
    pub(super) fn append(
        &self,
        model: &ModelWrapper,
        memory: &mut Memory,
        text: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), String> {
        let Memory { cuts, words } = memory;
        let mut spelled = String::new();
        self.cut(0, cuts, text, &mut |word| {
            if words.append(word, ids) {
                return Ok(());
            }
            let start = ids.len();
            spell(word, &mut spelled);
            let tokens = model.tokenize(&spelled).map_err(|error| error.to_string())?;
            ids.extend(tokens.iter().map(|token| token.id));
            words.remember(word, &ids[start..]);
            Ok(())
        })
    }

    /// One step after the other, each within what the one before left whole.
    fn cut<'t>(
        &self,
        depth: usize,
        memory: &mut [CutterMemory],
        text: &'t str,
        each: &mut dyn FnMut(&'t str) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some((cut, (memory, deeper))) = self.cuts.get(depth).zip(memory.split_first_mut())
        else {
            return if text.is_empty() { Ok(()) } else { each(text) };
        };
        let mut next = |part: &'t str| self.cut(depth + 1, deeper, part, each);
        match cut {
            Cut::Expression(cutter) => cutter.cut(memory, text, &mut next),
            Cut::Digits { each_alone } => cut_digits(*each_alone, text, &mut next),
        }
    }
}

fn cut_digits<'t>(
    each_alone: bool,
    text: &'t str,
    next: &mut dyn FnMut(&'t str) -> Result<(), String>,
) -> Result<(), String> {
    let mut begun = 0;
    let mut was_digit = false;
    for (at, character) in text.char_indices() {
        let is_digit = character.is_numeric();
        if at > begun && (is_digit != was_digit || (is_digit && each_alone)) {
            next(&text[begun..at])?;
            begun = at;
        }
        was_digit = is_digit;
    }
    if begun < text.len() { next(&text[begun..]) } else { Ok(()) }
}

/// The printable character that stands for each byte in the vocabularies of such models.
static SPELLING: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut spelling = ['\0'; 256];
    let mut spare = 256_u32;
    for byte in 0..=u8::MAX {
        let prints = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        spelling[usize::from(byte)] = if prints {
            char::from(byte)
        } else {
            spare += 1;
            char::from_u32(spare - 1).unwrap_or_default()
        };
    }
    spelling
});

fn spell(word: &str, spelled: &mut String) {
    spelled.clear();
    spelled.extend(word.bytes().map(|byte| SPELLING[usize::from(byte)]));
}
