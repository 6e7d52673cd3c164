//! Text as a stream of letters and digits, with the places where words begin.
//!
//! White space, punctuation, hyphens and line ends leave no trace in the stream, so text that was
//! wrapped, hyphenated or punctuated anew gives the same one; nobody has to guess whether a hyphen at
//! the end of a line belonged to the word. Digits are kept.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::words::has_no_spaces;

/// A run of letters and digits; in scripts without spaces, one character and its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it begins in the stream.
    pub(super) at: usize,
    /// Where it begins in the text.
    pub(super) text_start: usize,
    /// Where it ends in the text.
    pub(super) text_end: usize,
    /// True for a character of a script that puts no spaces between words.
    pub(super) spaceless: bool,
}

/// What each ASCII byte becomes: a letter in lower case, a digit, or 0 for what separates.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric() {
            table[byte] = letter.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Reads a text into a stream, piece by piece.
pub(super) struct Normaliser<'a> {
    text: &'a str,
    at: usize,
    /// What has been read and not been dropped.
    pub(super) stream: Vec<u8>,
    /// The runs that begin in `stream`, in order.
    pub(super) runs: Vec<Run>,
    /// True while the last character belongs to a run that may go on.
    in_run: bool,
}

impl<'a> Normaliser<'a> {
    pub(super) fn new(text: &'a str, bytes: usize) -> Self {
        let stream = Vec::with_capacity(text.len().min(bytes) + 16);
        let runs = Vec::with_capacity(text.len().min(bytes) / 4);
        Self { text, at: 0, stream, runs, in_run: false }
    }

    /// The whole text at once.
    pub(super) fn whole(text: &'a str) -> Self {
        let mut normaliser = Self::new(text, text.len());
        normaliser.fill(usize::MAX);
        normaliser
    }

    /// True when the whole text has been read.
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Reads on until the stream holds `bytes` bytes or the text ends.
    pub(super) fn fill(&mut self, bytes: usize) {
        let text = self.text.as_bytes();
        while self.at < text.len() && self.stream.len() < bytes {
            let byte = text[self.at];
            if byte < 128 {
                let letter = ASCII[usize::from(byte)];
                if letter == 0 {
                    self.separate(self.at);
                } else {
                    if !self.in_run {
                        self.begin(self.at, false);
                    }
                    self.stream.push(letter);
                }
                self.at += 1;
            } else if let Some(character) = self.text[self.at..].chars().next() {
                self.take(character);
                self.at += character.len_utf8();
            }
        }
        self.close(self.at);
    }

    /// Forgets all runs before `run` and what they hold.
    pub(super) fn drop_before(&mut self, run: usize) {
        let bytes = self.runs.get(run).map_or(self.stream.len(), |run| run.at);
        self.runs.drain(..run);
        self.stream.drain(..bytes);
        for run in &mut self.runs {
            run.at -= bytes;
        }
    }

    /// True when a run begins at `end`, or the text ends there; `from` is a run before it.
    pub(super) fn is_boundary(&self, from: usize, end: usize) -> bool {
        let later = &self.runs[from..];
        let run = later.partition_point(|run| run.at < end);
        later.get(run).map_or(end == self.stream.len(), |run| run.at == end)
    }

    /// Where the run ends in the text that holds the byte before `end`.
    pub(super) fn text_end(&self, from: usize, end: usize) -> usize {
        let later = &self.runs[from..];
        let run = later.partition_point(|run| run.at < end);
        later[run.max(1) - 1].text_end
    }

    fn begin(&mut self, at: usize, spaceless: bool) {
        self.close(at);
        let run = Run { at: self.stream.len(), text_start: at, text_end: at, spaceless };
        self.runs.push(run);
        self.in_run = true;
    }

    fn separate(&mut self, at: usize) {
        if self.in_run {
            self.close(at);
            self.in_run = false;
        }
    }

    fn close(&mut self, at: usize) {
        if self.in_run
            && let Some(run) = self.runs.last_mut()
        {
            run.text_end = at;
        }
    }

    fn take(&mut self, character: char) {
        match character {
            // Dashes, curly quotes, bullets, dots: the commonest of all that is not ASCII.
            '\u{2010}'..='\u{2029}' | '\u{2030}'..='\u{205e}' => self.separate(self.at),
            // Soft hyphens, joiners and marks of direction are not seen.
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{feff}' => {}
            _ => decompose_compatible(character, |part| self.take_part(part)),
        }
    }

    fn take_part(&mut self, part: char) {
        if is_accent(part) {
            return;
        }
        let mark = is_combining_mark(part);
        if !mark && !part.is_alphanumeric() {
            return self.separate(self.at);
        }
        let spaceless = has_no_spaces(part);
        let after_spaceless = self.runs.last().is_some_and(|run| run.spaceless);
        if !self.in_run || (!mark && (spaceless || after_spaceless)) {
            self.begin(self.at, spaceless);
        }
        match part {
            // Their upper case is that of other letters.
            'ß' | 'ẞ' => self.stream.extend_from_slice(b"ss"),
            'ς' => self.push('σ'),
            'ı' => self.push('i'),
            _ => part.to_lowercase().for_each(|lower| self.push(lower)),
        }
    }

    fn push(&mut self, letter: char) {
        self.stream.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Accents and vowel points that readers may leave out; the vowel signs of Indic scripts are none.
fn is_accent(mark: char) -> bool {
    matches!(mark,
        '\u{300}'..='\u{36f}'
        | '\u{591}'..='\u{5c7}'
        | '\u{64b}'..='\u{65f}'
        | '\u{670}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> String {
        String::from_utf8(Normaliser::whole(text).stream).expect("UTF-8")
    }

    #[test]
    fn whatever_is_not_a_letter_or_digit_leaves_no_trace() {
        for (a, b) in [
            ("The well-known fox", "THE WELL KNOWN FOX!"),
            ("exam-\n  ple don't", "example don’t"),
            ("soft\u{ad}hyphen zero\u{200b}width", "soft hyphen, zero width"),
            ("naïve Straße ΟΔΟΣ", "naive STRASSE οδος"),
            ("ﬁne １２ x²", "fine 12 x2"),
            ("İstanbul ırmak", "istanbul IRMAK"),
            ("がっこう", "か\u{3099}っこう"),
            ("a\0b", "ab"),
        ] {
            assert_eq!(stream(a), stream(b), "{a:?} {b:?}");
        }
        for (a, b) in [("24 hens", "25 hens"), ("कि", "की"), ("水", "氷")] {
            assert_ne!(stream(a), stream(b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn runs_lie_where_words_do() {
        let text = "Ein Café, 水素 x";
        let normal = Normaliser::whole(text);
        let words: Vec<_> =
            normal.runs.iter().map(|run| &text[run.text_start..run.text_end]).collect();
        assert_eq!(words, ["Ein", "Café", "水", "素", "x"]);
        assert!(normal.is_boundary(0, 7) && !normal.is_boundary(0, 6));
        assert!(normal.is_boundary(0, normal.stream.len()));
        assert_eq!(normal.text_end(0, 7), "Ein Café".len());
    }

    #[test]
    fn pieces_are_the_whole() {
        let text = "Ein Café, 水素 über alles, Grüße an alle; ".repeat(20);
        let whole = Normaliser::whole(&text);
        let mut normal = Normaliser::new(&text, 32);
        let (mut stream, mut starts) = (Vec::new(), Vec::new());
        while !normal.is_done() {
            normal.fill(32);
            let kept = normal.runs.len().saturating_sub(1);
            stream.extend_from_slice(&normal.stream[..normal.runs[kept].at]);
            starts.extend(normal.runs[..kept].iter().map(|run| (run.text_start, run.text_end)));
            normal.drop_before(kept);
        }
        stream.extend_from_slice(&normal.stream);
        starts.extend(normal.runs.iter().map(|run| (run.text_start, run.text_end)));
        assert_eq!(stream, whole.stream);
        let wholes: Vec<_> = whole.runs.iter().map(|run| (run.text_start, run.text_end)).collect();
        assert_eq!(starts, wholes);
    }
}
