//! `language`: not the language that was asked for.

use hornbook_types::Language;
use whichlang::Lang;

use super::prose::{Line, lines};

/// Places of a text that are looked at; most of them must agree.
const SAMPLES: usize = 3;
/// Bytes of a sample: enough to be right 359 times of 359 on a small model's English.
const SAMPLE_BYTES: usize = 240;
/// In a shorter piece, names and loan words outweigh the rest.
const SAMPLE_BYTES_MIN: usize = 60;
/// Pieces among which the samples are chosen; a longer text is judged by its beginning.
const PIECES_MAX: usize = 256;

/// Pieces of a text at its beginning, middle and end.
pub(super) struct Samples<'a> {
    pieces: [&'a str; SAMPLES],
    length: usize,
}

impl<'a> Samples<'a> {
    /// Chooses pieces of running text; none where there is no line long enough.
    pub(super) fn of(text: &'a str) -> Self {
        let mut all: Vec<&str> = Vec::new();
        for line in lines(text) {
            if let Line::Prose(words) | Line::Item(words) = line {
                split(words, &mut all);
            }
            if all.len() >= PIECES_MAX {
                break;
            }
        }
        let pieces = match all.as_slice() {
            [] => [""; SAMPLES],
            all => [all[0], all[all.len() - 1], all[all.len() / 2]],
        };
        Self { pieces, length: all.len().min(SAMPLES) }
    }

    fn languages(&self) -> impl Iterator<Item = Lang> + '_ {
        self.pieces[..self.length].iter().map(|piece| whichlang::detect_language(piece))
    }

    /// The language that the text begins in, as far as there is anything to tell it by.
    pub(super) fn begins_in(&self) -> Option<Language> {
        self.languages().next().map(name)
    }

    /// True when the text begins in English, as far as there is anything to tell it by.
    pub(super) fn begins_in_english(&self) -> bool {
        self.languages().next() == Some(Lang::Eng)
    }

    /// True when most samples are of a language that `allows` says no to.
    fn are_mostly_not(&self, mut allows: impl FnMut(Lang) -> bool) -> bool {
        let enough = self.length.div_ceil(2);
        let mut agreed = 0;
        for language in self.languages() {
            agreed += usize::from(allows(language));
            if agreed >= enough {
                return false;
            }
        }
        self.length > 0
    }
}

fn split<'a>(line: &'a str, all: &mut Vec<&'a str>) {
    let mut rest = line;
    while rest.len() >= SAMPLE_BYTES_MIN && all.len() < PIECES_MAX {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(SAMPLE_BYTES));
        all.push(piece);
        rest = after;
    }
}

/// True when an answer is not in the language of the setting; without one, in none of the prompt's.
pub(super) fn is_foreign(answer: &Samples<'_>, prompt: &str, wanted: Option<Language>) -> bool {
    match wanted {
        Some(Language::Any) => false,
        Some(wanted) => answer.are_mostly_not(|found| name(found) == wanted),
        None => {
            let asked = Samples::of(prompt);
            if asked.length == 0 {
                return false;
            }
            let mut known: Vec<Lang> = Vec::with_capacity(SAMPLES);
            let mut unread = asked.languages();
            answer.are_mostly_not(|found| {
                // Most prompts begin in the language of the answer, and nothing more need be read.
                while !known.contains(&found) {
                    let Some(next) = unread.next() else { return false };
                    known.push(next);
                }
                true
            })
        }
    }
}

fn name(language: Lang) -> Language {
    match language {
        Lang::Ara => Language::Ar,
        Lang::Cmn => Language::Zh,
        Lang::Deu => Language::De,
        Lang::Eng => Language::En,
        Lang::Fra => Language::Fr,
        Lang::Hin => Language::Hi,
        Lang::Ita => Language::It,
        Lang::Jpn => Language::Ja,
        Lang::Kor => Language::Ko,
        Lang::Nld => Language::Nl,
        Lang::Por => Language::Pt,
        Lang::Rus => Language::Ru,
        Lang::Spa => Language::Es,
        Lang::Swe => Language::Sv,
        Lang::Tur => Language::Tr,
        Lang::Vie => Language::Vi,
    }
}
