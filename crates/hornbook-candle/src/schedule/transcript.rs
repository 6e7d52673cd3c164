//! From the bytes of tokens to the text of an answer, and on to whoever reads along.

use hornbook_inference::{DrawnLogprob, Piece};
use hornbook_types::limits::ANSWER_BYTES;
use tokio::sync::mpsc;

/// What stands for U+0000, which Postgres refuses, and for what is no character.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The text of an answer, as far as it is written.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    text: String,
    /// Bytes after `text` that are no characters yet, or that may be taken back.
    tail: Vec<u8>,
    /// Bytes of all tokens that became `text`.
    read_bytes: usize,
    had_nul: bool,
    logprobs: Vec<DrawnLogprob>,
    /// How many bytes the tokens up to each of `logprobs` have together.
    logprob_ends: Vec<usize>,
    reader: Option<Reader>,
}

/// Somebody who reads along.
#[derive(Debug)]
struct Reader {
    pieces: mpsc::Sender<Piece>,
    /// How much of the text was sent.
    text_bytes: usize,
    /// How many of the log-probabilities were sent.
    logprobs: usize,
}

/// A whole answer's text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) had_nul: bool,
    pub(super) logprobs: Vec<DrawnLogprob>,
    /// What the reader, if there is one, has not had.
    pub(super) unsent: Piece,
}

impl Transcript {
    /// An empty answer whose parts go to `pieces` as they are written.
    pub(super) fn new(pieces: Option<mpsc::Sender<Piece>>) -> Self {
        let reader = pieces.map(|pieces| Reader { pieces, text_bytes: 0, logprobs: 0 });
        Self { reader, ..Self::default() }
    }

    /// Adds a token's bytes. Of all bytes so far the last `held_bytes` may be taken back; the
    /// others are text once they are whole characters.
    pub(super) fn push(&mut self, bytes: &[u8], held_bytes: usize, logprob: Option<DrawnLogprob>) {
        self.tail.extend_from_slice(bytes);
        if let Some(logprob) = logprob {
            self.logprobs.push(logprob);
            self.logprob_ends.push(self.read_bytes + self.tail.len());
        }
        self.read(self.tail.len().saturating_sub(held_bytes));
    }

    /// Takes back the last bytes, no more than were held.
    pub(super) fn take_back(&mut self, bytes: usize) {
        self.tail.truncate(self.tail.len().saturating_sub(bytes));
    }

    /// Makes text of the first `end` bytes of the tail, but for those at the end that may yet
    /// become a character.
    fn read(&mut self, end: usize) {
        let tail = std::mem::take(&mut self.tail);
        let mut rest = &tail[..end];
        let left = loop {
            let error = match std::str::from_utf8(rest) {
                Ok(valid) => {
                    self.add(valid);
                    break 0;
                }
                Err(error) => error,
            };
            let (valid, invalid) = rest.split_at(error.valid_up_to());
            // It was found valid just above; a second check costs next to nothing.
            self.add(std::str::from_utf8(valid).unwrap_or_default());
            let Some(length) = error.error_len() else { break invalid.len() };
            self.add_char(REPLACEMENT);
            rest = &invalid[length..];
        };
        self.read_bytes += end - left;
        self.tail = tail;
        self.tail.drain(..end - left);
    }

    fn add(&mut self, characters: &str) {
        if self.text.len() + characters.len() <= ANSWER_BYTES && !characters.contains('\0') {
            self.text.push_str(characters);
        } else {
            characters.chars().for_each(|character| self.add_char(character));
        }
    }

    fn add_char(&mut self, character: char) {
        self.had_nul |= character == '\0';
        let character = if character == '\0' { REPLACEMENT } else { character };
        if self.text.len() + character.len_utf8() <= ANSWER_BYTES {
            self.text.push(character);
        }
    }

    /// True when there may be no room for another character.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() + self.tail.len() + char::MAX_LEN_UTF8 > ANSWER_BYTES
    }

    /// Sends the reader the text that was not sent yet. One who lags has it with the next piece,
    /// and one who went away is forgotten.
    pub(super) fn send(&mut self) {
        self.reader.take_if(|reader| reader.pieces.is_closed());
        let Some(reader) = &mut self.reader else { return };
        let logprobs = self.logprob_ends.partition_point(|end| *end <= self.read_bytes);
        if (self.text.len(), logprobs) == (reader.text_bytes, reader.logprobs) {
            return;
        }
        // Only now is anything copied: a reader who lags far must not cost more with every token.
        let Ok(permit) = reader.pieces.try_reserve() else { return };
        permit.send(Piece {
            text: self.text[reader.text_bytes..].to_owned(),
            logprobs: self.logprobs[reader.logprobs..logprobs].to_vec(),
        });
        (reader.text_bytes, reader.logprobs) = (self.text.len(), logprobs);
    }

    /// The answer is whole: what was held is text, and what began a character and did not end it
    /// is none.
    pub(super) fn finish(mut self) -> Written {
        self.read(self.tail.len());
        if !self.tail.is_empty() {
            self.add_char(REPLACEMENT);
        }
        let unsent = self.reader.map_or_else(Piece::default, |reader| Piece {
            text: self.text[reader.text_bytes..].to_owned(),
            logprobs: self.logprobs[reader.logprobs..].to_vec(),
        });
        let Self { text, had_nul, logprobs, .. } = self;
        Written { text, had_nul, logprobs, unsent }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(tokens: &[&[u8]]) -> Written {
        let mut transcript = Transcript::new(None);
        tokens.iter().for_each(|bytes| transcript.push(bytes, 0, None));
        transcript.finish()
    }

    #[test]
    fn answers_are_readable() {
        let text = |tokens: &[&[u8]]| written(tokens).text;
        assert_eq!(text(&[b"plain"]), "plain");
        assert_eq!(text(&[b"half \xe2", b"\x82", b"\xac."]), "half \u{20ac}.");
        assert_eq!(text(&[b"half \xe2\x82"]), "half \u{fffd}");
        assert_eq!(text(&[b"\xe2\x82", b"no"]), "\u{fffd}no");
        let nul = written(&[b"a\0b"]);
        assert_eq!((nul.text.as_str(), nul.had_nul), ("a\u{fffd}b", true));
        assert!(!written(&[b"\xff"]).had_nul);
    }

    #[test]
    fn answers_end_with_a_whole_character_at_their_limit() {
        let mut transcript = Transcript::new(None);
        transcript.push(&[b'a'].repeat(ANSWER_BYTES - 5), 0, None);
        assert!(!transcript.is_full());
        transcript.push(b"aaaa", 0, None);
        assert!(transcript.is_full());
        transcript.push("\u{e9}\0".as_bytes(), 0, None);
        assert_eq!(transcript.finish().text.len(), ANSWER_BYTES - 1);
    }

    fn logprob(number: usize) -> DrawnLogprob {
        let bytes = number.to_string().into_bytes();
        let token = hornbook_inference::TokenLogprob { bytes, logprob: -1.0 };
        DrawnLogprob { token, top: Vec::new() }
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(
            bytes in prop::collection::vec(
                prop_oneof![Just(0), Just(b'a'), Just(0xe2), Just(0x82), Just(0xac), Just(0xff)],
                0..40,
            ),
            cuts in prop::collection::vec(1..5_usize, 1..10),
            reads in prop::collection::vec(any::<bool>(), 1..10),
            helds in prop::collection::vec(0..4_usize, 1..10),
            taken_back in any::<bool>(),
        ) {
            let (sender, mut pieces) = mpsc::channel(1);
            let mut transcript = Transcript::new(Some(sender));
            let mut read = Piece::default();
            let mut take = |piece: Piece| {
                read.text.push_str(&piece.text);
                read.logprobs.extend(piece.logprobs);
            };
            let mut rest = &bytes[..];
            let (mut tokens, mut held) = (0, 0);
            let turns = cuts.iter().cycle().zip(reads.iter().cycle()).zip(helds.iter().cycle());
            for ((cut, reads), may_hold) in turns {
                if rest.is_empty() {
                    break;
                }
                let (token, after) = rest.split_at(rest.len().min(*cut));
                rest = after;
                // What was let go once is not held again.
                held = (held + token.len()).min(*may_hold);
                transcript.push(token, held, Some(logprob(tokens)));
                tokens += 1;
                transcript.send();
                if *reads && let Ok(piece) = pieces.try_recv() {
                    prop_assert!(piece != Piece::default(), "an empty piece");
                    take(piece);
                }
            }
            let taken_back = if taken_back { held } else { 0 };
            transcript.take_back(taken_back);
            let written = transcript.finish();
            while let Ok(piece) = pieces.try_recv() {
                take(piece);
            }
            take(written.unsent);
            let kept = &bytes[..bytes.len() - taken_back];
            let expected = String::from_utf8_lossy(kept).replace('\0', "\u{fffd}");
            prop_assert_eq!(&written.text, &expected);
            prop_assert_eq!(&read.text, &expected);
            prop_assert_eq!(&read.logprobs, &written.logprobs);
            prop_assert_eq!(written.logprobs.len(), tokens);
            prop_assert_eq!(written.had_nul, kept.contains(&0));
        }
    }

    #[test]
    fn pieces_come_as_soon_as_nothing_can_change_them() {
        let (sender, mut pieces) = mpsc::channel(8);
        let mut transcript = Transcript::new(Some(sender));
        let mut texts = Vec::new();
        for (bytes, held) in [(&b"one "[..], 0), (b"\xe2\x82", 0), (b"\xac two", 3), (b" 3", 0)] {
            transcript.push(bytes, held, None);
            transcript.send();
            texts.push(pieces.try_recv().map(|piece| piece.text).unwrap_or_default());
        }
        assert_eq!(texts, ["one ", "", "\u{20ac} ", "two 3"]);
        drop(pieces);
        transcript.push(b"!", 0, None);
        transcript.send();
        let written = transcript.finish();
        assert_eq!(written.text, "one \u{20ac} two 3!");
        assert_eq!(written.unsent, Piece::default(), "nobody is there to have it");
    }
}
