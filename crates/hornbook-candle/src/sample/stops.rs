//! Finding the texts that end an answer, over the borders of tokens.

/// Where the bytes of a token stand to the texts that end an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// None has come; the last bytes, so many of them, may begin one.
    No { held_bytes: usize },
    /// One of that length ends with that byte of the token, counted from 1.
    Yes { end: usize, stop_bytes: usize },
}

/// Looks for several texts at once, a byte at a time, so that what is found does not depend on
/// how a text falls into tokens: the first to be whole wins, and of those the longest.
#[derive(Clone, Debug)]
pub(super) struct Stops(Vec<Stop>);

/// Knuth, Morris and Pratt's search for one text.
#[derive(Clone, Debug)]
struct Stop {
    text: Vec<u8>,
    /// For each place, how much of the text's beginning the part up to there ends with.
    borders: Vec<usize>,
    /// How much of the text's beginning the answer ends with.
    matched: usize,
}

impl Stops {
    /// Empty texts would end every answer, and are passed over.
    pub(super) fn new(texts: &[String]) -> Self {
        let texts = texts.iter().filter(|text| !text.is_empty());
        Self(texts.map(|text| Stop::new(text.as_bytes())).collect())
    }

    /// Reads the next bytes of the answer.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Found {
        for (byte, end) in bytes.iter().zip(1..) {
            let whole = self.0.iter_mut().filter_map(|stop| stop.push(*byte)).max();
            if let Some(stop_bytes) = whole {
                return Found::Yes { end, stop_bytes };
            }
        }
        Found::No { held_bytes: self.0.iter().map(|stop| stop.matched).max().unwrap_or_default() }
    }
}

impl Stop {
    fn new(text: &[u8]) -> Self {
        let mut stop = Self { text: text.to_vec(), borders: vec![0], matched: 0 };
        for byte in &text[1..] {
            stop.advance(*byte);
            stop.borders.push(stop.matched);
        }
        stop.matched = 0;
        stop
    }

    fn advance(&mut self, byte: u8) {
        while self.matched > 0 && self.text[self.matched] != byte {
            self.matched = self.borders[self.matched - 1];
        }
        self.matched += usize::from(self.text[self.matched] == byte);
    }

    /// The text's length once it is whole; nothing is to be pushed after that.
    fn push(&mut self, byte: u8) -> Option<usize> {
        self.advance(byte);
        let is_whole = self.matched == self.text.len();
        is_whole.then_some(self.matched)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stops(texts: &[&str]) -> Stops {
        Stops::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn finds_a_stop_inside_one_token_and_over_many() {
        assert_eq!(stops(&["END"]).push(b"the END."), Found::Yes { end: 7, stop_bytes: 3 });
        let mut over_many = stops(&["\n\nQ:"]);
        assert_eq!(over_many.push(b"yes.\n"), Found::No { held_bytes: 1 });
        assert_eq!(over_many.push(b"\n"), Found::No { held_bytes: 2 });
        assert_eq!(over_many.push(b"\n"), Found::No { held_bytes: 2 });
        assert_eq!(over_many.push(b"Q"), Found::No { held_bytes: 3 });
        assert_eq!(over_many.push(b": and"), Found::Yes { end: 1, stop_bytes: 4 });
    }

    #[test]
    fn the_first_whole_one_wins_and_then_the_longest() {
        let found = stops(&["b", "abc"]).push(b"xabc");
        assert_eq!(found, Found::Yes { end: 3, stop_bytes: 1 });
        let found = stops(&["c", "abc", "bc", ""]).push(b"xabc");
        assert_eq!(found, Found::Yes { end: 4, stop_bytes: 3 });
        assert_eq!(stops(&[]).push(b"abc"), Found::No { held_bytes: 0 });
    }

    proptest! {
        #[test]
        fn agrees_with_a_search_of_the_whole_text(
            texts in prop::collection::vec("[ab]{1,4}|é", 1..4),
            answer in "[abc]{0,24}|[abé]{0,12}",
            cuts in prop::collection::vec(1..6_usize, 1..8),
        ) {
            let answer = answer.as_bytes();
            let expected = (1..=answer.len()).find_map(|end| {
                let whole = texts.iter().filter(|text| answer[..end].ends_with(text.as_bytes()));
                whole.map(String::len).max().map(|stop_bytes| (end, stop_bytes))
            });
            let mut stops = Stops::new(&texts);
            let (mut start, mut found) = (0, None);
            for cut in cuts.iter().cycle() {
                if start == answer.len() {
                    break;
                }
                let token = &answer[start..answer.len().min(start + cut)];
                match stops.push(token) {
                    Found::Yes { end, stop_bytes } => {
                        found = Some((start + end, stop_bytes));
                        break;
                    }
                    Found::No { held_bytes } => {
                        let seen = &answer[..start + token.len()];
                        let held = (0..=3).rev().find(|length| {
                            let end = seen.len().checked_sub(*length).map(|at| &seen[at..]);
                            end.is_some_and(|end| {
                                texts.iter().any(|text| {
                                    text.len() > end.len() && text.as_bytes().starts_with(end)
                                })
                            })
                        });
                        prop_assert_eq!(Some(held_bytes), held);
                    }
                }
                start += token.len();
            }
            prop_assert_eq!(found, expected);
        }
    }
}
