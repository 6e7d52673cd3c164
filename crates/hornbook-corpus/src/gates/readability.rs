//! `readability`: too easy or too hard for its audience.

use hornbook_types::AudienceSpec;

use super::prose::{Line, lines};

/// Fewer words say nothing of a text's level.
const WORDS_MIN: u32 = 40;
/// Fewer sentences neither.
const SENTENCES_MIN: u32 = 3;
/// More words in a sentence than anybody writes: a text without stops has no sentences to measure.
const SENTENCE_WORDS_MAX: u32 = 60;
/// Shorter lines that are followed by a capital letter are verse, and end a sentence each.
const VERSE_BYTES: usize = 60;
/// Text that is looked at; a longer one is judged by its beginning.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// School grades of a text by two formulas that share nothing but the count of words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grades {
    /// Kincaid et al. 1975: words per sentence, syllables per word.
    pub(super) flesch_kincaid: f64,
    /// Coleman and Liau 1975: letters and sentences per hundred words.
    pub(super) coleman_liau: f64,
}

#[derive(Default)]
struct Counts {
    words: u32,
    letters: u32,
    syllables: u32,
    sentences: u32,
    /// Words since the last sentence ended.
    open: u32,
}

/// Measures English running text; `None` where there is too little of it.
pub(super) fn measure(text: &str) -> Option<Grades> {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut counts = Counts::default();
    let mut before = 0;
    for line in lines(text) {
        let (Line::Prose(words) | Line::Item(words)) = line else {
            counts.end_sentence();
            continue;
        };
        let is_verse = before < VERSE_BYTES && words.starts_with(|c: char| c.is_uppercase());
        if is_verse || matches!(line, Line::Item(_)) {
            counts.end_sentence();
        }
        counts.read(words.as_bytes());
        before = words.len();
    }
    counts.end_sentence();
    let enough = counts.words >= WORDS_MIN
        && counts.sentences >= SENTENCES_MIN
        && counts.words <= counts.sentences.saturating_mul(SENTENCE_WORDS_MAX);
    enough.then(|| {
        let (words, sentences) = (f64::from(counts.words), f64::from(counts.sentences));
        Grades {
            flesch_kincaid: 0.39 * words / sentences + 11.8 * f64::from(counts.syllables) / words
                - 15.59,
            coleman_liau: 5.88 * f64::from(counts.letters) / words
                - 29.6 * sentences / words
                - 15.8,
        }
    })
}

impl Counts {
    fn end_sentence(&mut self) {
        self.sentences += u32::from(self.open > 0);
        self.open = 0;
    }

    fn read(&mut self, line: &[u8]) {
        let mut at = 0;
        while at < line.len() {
            let byte = line[at];
            if is_letter(byte) {
                let start = at;
                while at < line.len() && is_letter(line[at]) {
                    at += 1;
                }
                self.word(&line[start..at]);
                // The rest of a contraction belongs to its word and has no vowel of its own.
                if at + 1 < line.len() && line[at] == b'\'' && is_letter(line[at + 1]) {
                    at += 1;
                    while at < line.len() && is_letter(line[at]) {
                        at += 1;
                    }
                }
                continue;
            }
            if matches!(byte, b'.' | b'!' | b'?') && ends_here(line, at) {
                self.end_sentence();
            }
            at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) {
        self.words += 1;
        self.open += 1;
        // Bytes that continue a character are no letters of their own.
        let letters = word.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
        self.letters += u32::try_from(letters).unwrap_or(u32::MAX);
        self.syllables += syllables(word);
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// A stop before white space, a closing mark or the end; not one after an initial or an abbreviation's letter.
fn ends_here(line: &[u8], at: usize) -> bool {
    let follows = line.get(at + 1).copied().unwrap_or(b' ');
    if follows.is_ascii_alphanumeric() || matches!(follows, b'.' | b',' | b'/' | b'_' | b'-') {
        return false;
    }
    let is_letter_alone = at > 0
        && line[at - 1].is_ascii_uppercase()
        && line[at - 1] != b'I'
        && (at < 2 || !is_letter(line[at - 2]));
    line[at] != b'.' || !is_letter_alone
}

/// Syllables of an English word: its groups of vowels, less the silent ones at its end.
fn syllables(word: &[u8]) -> u32 {
    let mut groups = 0_u32;
    let mut in_vowels = false;
    for &byte in word {
        let is_vowel = is_vowel(byte);
        groups += u32::from(is_vowel && !in_vowels);
        in_vowels = is_vowel;
    }
    let silent = match *word {
        [.., a, b'l' | b'L', b'e' | b'E'] if !is_vowel(a) => false,
        [.., a, b'e' | b'E'] => !is_vowel(a),
        [.., a, b'e' | b'E', b'd' | b'D'] => !is_vowel(a) && !b"tdTD".contains(&a),
        [.., a, b'e' | b'E', b's' | b'S'] => !is_vowel(a) && !b"szxcghSZXCGH".contains(&a),
        _ => false,
    };
    groups.saturating_sub(u32::from(silent)).max(1)
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// Grades by which a text may miss its audience on either side.
///
/// Up to grade school the bound is the eleventh grade: what a small model writes for toddlers reaches the
/// tenth (95 % of it), and a handful of long words moves a short text by grades. Above, five grades lose
/// under three per cent of reference prose; researchers write plainly too, and have seven.
/// docs/GATES.md has the rates.
pub(super) fn default_tolerance(audience: &AudienceSpec) -> f32 {
    match audience.rank {
        Some(..=0) => 10.0,
        Some(1) => 9.0,
        Some(2) => 6.0,
        Some(6..) => 7.0,
        _ => 5.0,
    }
}

/// True when both formulas say that a text misses the audience's range by more than `tolerance`.
pub(super) fn is_off(grades: Grades, audience: &AudienceSpec, tolerance: f64) -> bool {
    let both = [grades.flesch_kincaid, grades.coleman_liau];
    let above = audience.grade.max.map_or(f64::INFINITY, |max| f64::from(max) + tolerance);
    let below = audience.grade.min.map_or(f64::NEG_INFINITY, |min| f64::from(min) - tolerance);
    both.iter().all(|&grade| grade > above) || both.iter().all(|&grade| grade < below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_are_counted() {
        for (word, expected) in [
            ("cat", 1),
            ("table", 2),
            ("make", 1),
            ("makes", 1),
            ("boxes", 2),
            ("wanted", 2),
            ("played", 1),
            ("photosynthesis", 5),
            ("the", 1),
            ("a", 1),
            ("rhythm", 1),
            ("EVERYONE", 3),
            ("brr", 1),
        ] {
            assert_eq!(syllables(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn a_known_text_has_its_known_grade() {
        // Twelve sentences of seven words, 19 letters and 7 syllables each.
        let text = "The old dog sat by a fire. ".repeat(12);
        let words = 7.0;
        let grades = measure(&text).expect("enough text");
        let expected = 0.39 * words + 11.8 * 7.0 / words - 15.59;
        assert!((grades.flesch_kincaid - expected).abs() < 1e-9, "{grades:?}");
        let expected = 5.88 * 19.0 / words - 29.6 / words - 15.8;
        assert!((grades.coleman_liau - expected).abs() < 1e-9, "{grades:?}");
    }

    #[test]
    fn code_numbers_and_text_without_stops_have_no_grade() {
        let code = format!("```\n{}```\n", "int main() { return 0; }\n".repeat(40));
        let endless = "word ".repeat(300);
        for text in ["", "Too short. To say. Anything.", &code, &endless, &"1. 2. 3. ".repeat(80)] {
            assert_eq!(measure(text), None, "{text:.40}");
        }
    }
}
