//! Where a text is code, in which numbers are numbers.

use std::ops::Range;

/// Those of `ranges` that touch no code: neither a fenced block nor words between backticks.
pub(super) fn outside(text: &str, mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if ranges.is_empty() || !text.contains('`') {
        return ranges;
    }
    let code = spans(text);
    ranges.retain(|range| {
        let next = code.partition_point(|span| span.end <= range.start);
        code.get(next).is_none_or(|span| span.start >= range.end)
    });
    ranges
}

/// Code blocks and words between backticks on one line, in order.
fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut fence = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            match fence.take() {
                Some(start) => spans.push(start..at + line.len()),
                None => fence = Some(at),
            }
        } else if fence.is_none() {
            let ticks: Vec<usize> = line.match_indices('`').map(|(tick, _)| at + tick).collect();
            spans.extend(ticks.chunks_exact(2).map(|pair| pair[0]..pair[1] + 1));
        }
        at += line.len();
    }
    spans.extend(fence.map(|start| start..text.len()));
    spans
}
