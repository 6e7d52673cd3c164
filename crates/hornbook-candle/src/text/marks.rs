//! Finding tokens that are spelled out in a text, however many of them a file declares.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::LoadError;

/// Most marks (or whole words) of one vocabulary; the published ones have under 300.
pub(super) const MARKS_MAX: u64 = 4_096;
/// Longest spelling of one, in bytes; the published ones stay below 40.
pub(super) const MARK_BYTES_MAX: u64 = 256;

/// Spellings to look for, with their tokens. A search reads a text once, whatever their number.
pub(super) struct Marks {
    spellings: Vec<(String, u32)>,
    /// `None` where there are none.
    finder: Option<AhoCorasick>,
}

/// A stretch of a text, cut at marks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text without a mark, never empty.
    Text(&'a str),
    /// A mark's token.
    Mark(u32),
}

impl Marks {
    /// Prepares the search; spellings differ and none is empty.
    pub(super) fn new(spellings: Vec<(String, u32)>) -> Result<Self, LoadError> {
        LoadError::check_limit("the number of marks", spellings.len() as u64, MARKS_MAX)?;
        for (spelling, _) in &spellings {
            if spelling.is_empty() {
                return Err(LoadError::malformed("tokenizer.ggml.tokens", "has an empty mark"));
            }
            LoadError::check_limit("a mark, in bytes,", spelling.len() as u64, MARK_BYTES_MAX)?;
        }
        let finder = (!spellings.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .kind(Some(AhoCorasickKind::ContiguousNFA))
                    .build(spellings.iter().map(|(spelling, _)| spelling))
            })
            .transpose()
            .map_err(|error| LoadError::malformed("tokenizer.ggml.tokens", error.to_string()))?;
        Ok(Self { spellings, finder })
    }

    /// Spellings and tokens, in the vocabulary's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.spellings.iter().map(|(spelling, id)| (spelling.as_str(), *id))
    }

    /// Cuts a text at its marks from left to right; where several begin, the longest counts.
    pub(super) fn cut<'a>(&self, text: &'a str) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut end = 0;
        for found in self.finder.iter().flat_map(|finder| finder.find_iter(text)) {
            parts.extend(Part::text(&text[end..found.start()]));
            parts.extend(
                self.spellings.get(found.pattern().as_usize()).map(|(_, id)| Part::Mark(*id)),
            );
            end = found.end();
        }
        parts.extend(Part::text(&text[end..]));
        parts
    }

    /// Where marks begin in a text, rising, marks within marks and across their ends too.
    pub(super) fn starts(&self, text: &str) -> Vec<usize> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut starts = Vec::new();
        let mut from = 0;
        // A search from the next byte on reads a mark's length again: bounded by MARK_BYTES_MAX.
        while let Some(found) = finder.find(Input::new(text).range(from..)) {
            starts.push(found.start());
            from = found.start() + 1;
        }
        starts
    }
}

impl<'a> Part<'a> {
    fn text(text: &'a str) -> Option<Self> {
        (!text.is_empty()).then_some(Self::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn marks(spellings: &[&str]) -> Marks {
        let spellings = spellings.iter().map(|text| (*text).to_owned()).zip(10..).collect();
        Marks::new(spellings).expect("they are within the limits")
    }

    #[test]
    fn cuts_at_the_longest_mark_and_starts_at_every_one() {
        let marks = marks(&["<|", "<|end|>", "é|"]);
        let parts = marks.cut("a<|end|><|é|é");
        let expected =
            [Part::Text("a"), Part::Mark(11), Part::Mark(10), Part::Mark(12), Part::Text("é")];
        assert_eq!(parts, expected);
        assert_eq!(marks.starts("é<|<|end|>"), [2, 4]);
        assert_eq!(marks.cut(""), []);
        let nested = super::Marks::new(Vec::new()).expect("none at all");
        assert_eq!(nested.cut("<|"), [Part::Text("<|")]);
        assert!(nested.starts("<|").is_empty());
    }

    #[test]
    fn thousands_of_marks_cost_no_more_than_a_few() {
        let names: Vec<String> =
            (0..MARKS_MAX).map(|n| format!("{}{n:04}", "<".repeat(252))).collect();
        let many = marks(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let text = "<".repeat(4 << 20);
        let begun = Instant::now();
        assert_eq!(many.cut(&text), [Part::Text(&text)]);
        assert!(many.starts(&text).is_empty());
        // One comparison per mark and place would be 4e12 bytes.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn too_many_or_too_long_marks_are_refused() {
        let many = (0..=MARKS_MAX as u32).map(|n| (n.to_string(), n)).collect();
        assert!(matches!(Marks::new(many), Err(LoadError::TooLarge { .. })));
        let long = "x".repeat(MARK_BYTES_MAX as usize + 1);
        assert!(matches!(Marks::new(vec![(long, 0)]), Err(LoadError::TooLarge { .. })));
        assert!(matches!(Marks::new(vec![(String::new(), 0)]), Err(LoadError::Malformed { .. })));
    }
}
