//! Rewrites loops so that they count their work, and maps places back to what the user wrote.

use crate::sandbox::{COMPARISON_BYTES, ITEMS_FILTER, SPEND_FUNCTION};
use crate::scan::{Code, Piece, Token};

/// A template's source with its loops made accountable.
#[derive(Debug)]
pub(crate) struct Instrumented {
    pub(crate) source: String,
    /// Byte offsets in the user's source and what was put in there, in order.
    insertions: Vec<(usize, String)>,
}

impl Instrumented {
    /// Makes every loop check its collection once and pay for each turn the bytes of its body
    /// and what its comparisons may read.
    pub(crate) fn new(source: &str, pieces: &[Piece]) -> Self {
        let mut insertions = Vec::new();
        let mut open: Vec<(usize, &Code, usize)> = Vec::new();
        let mut comparisons = 0;
        for piece in pieces {
            let (Piece::Tag(code) | Piece::Output(code)) = piece else { continue };
            comparisons += count_comparisons(source, &code.tokens);
            if matches!(piece, Piece::Output(_)) {
                continue;
            }
            let Some(head) = code.tokens.first() else { continue };
            match head.of(source) {
                "for" => {
                    let Some(word) = code.tokens.iter().find(|token| token.is(source, "in")) else {
                        continue;
                    };
                    insertions.push((word.range.end, " (".to_owned()));
                    insertions.push((code.close, format!(") | {ITEMS_FILTER} ")));
                    open.push((insertions.len(), code, comparisons));
                    insertions.push((code.range.end, String::new()));
                }
                "endfor" => {
                    let Some((place, begin, before)) = open.pop() else { continue };
                    let bytes = code.range.end - begin.range.start
                        + (comparisons - before) * COMPARISON_BYTES;
                    // The end tag trims what the loop's own tag would have trimmed.
                    let trim = if begin.trims_after { "-" } else { "" };
                    insertions[place].1 =
                        format!("{{% if {SPEND_FUNCTION}(bytes={bytes}) %}}{{% endif {trim}%}}");
                }
                _ => {}
            }
        }
        let mut out = String::with_capacity(source.len() + 64 * insertions.len());
        let mut at = 0;
        for (offset, text) in &insertions {
            out.push_str(&source[at..*offset]);
            out.push_str(text);
            at = *offset;
        }
        out.push_str(&source[at..]);
        Self { source: out, insertions }
    }

    /// The byte of the user's source that a byte of the rewritten one came from.
    pub(crate) fn original(&self, offset: usize) -> usize {
        let mut added = 0;
        for (at, text) in &self.insertions {
            if offset < at + added {
                break;
            }
            if offset < at + added + text.len() {
                return *at;
            }
            added += text.len();
        }
        offset - added
    }
}

/// How many operators and tests in `tokens` may read a whole long value each time.
fn count_comparisons(source: &str, tokens: &[Token]) -> usize {
    const OPERATORS: [&str; 10] =
        ["==", "!=", "<", "<=", ">", ">=", "in", "containing", "starting_with", "ending_with"];
    tokens
        .iter()
        .filter(|token| OPERATORS.into_iter().any(|operator| token.is(source, operator)))
        .count()
}

/// Line and column, both from 1, of a byte; columns count characters.
pub(crate) fn place(source: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let head = &source[..offset];
    let line_start = head.rfind('\n').map_or(0, |at| at + 1);
    (head.matches('\n').count() + 1, head[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    #[test]
    fn places_map_back() {
        let source = "a\n{% for x in seed.list -%}\n {{ x }}é{{ y }}\n{% endfor %}";
        let made = Instrumented::new(source, &scan(source).unwrap());
        for needle in ["x }}", "y }}", "endfor", "seed.list"] {
            let there = made.source.find(needle).unwrap();
            assert_eq!(made.original(there), source.find(needle).unwrap(), "{needle}");
        }
        assert_eq!(place(source, source.find("y }}").unwrap()), (3, 13));
    }
}
