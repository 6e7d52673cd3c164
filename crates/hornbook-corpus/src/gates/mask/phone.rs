//! Telephone numbers.

use std::ops::Range;

/// Digits of a number with its country: E.164 allows 15, and none has fewer than 8.
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Digits of a number that the word before it calls one.
const NAMED_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Bytes before a number in which that word is looked for.
const LOOKBACK_BYTES: usize = 16;
/// Words that announce a number.
const NAMES: [&str; 9] =
    ["phone", "telephone", "tel", "call", "mobile", "cell", "fax", "whatsapp", "dial"];
/// Longest number with its spaces and dashes.
const BYTES_MAX: usize = 32;

/// Telephone numbers in a text: with a plus sign and country, in the North American form, or announced
/// by a word.
///
/// Digits alone are no number, nor are dates, ISBNs, versions and sums.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if !(byte.is_ascii_digit() || matches!(byte, b'+' | b'(')) {
            at += 1;
            continue;
        }
        let start = at;
        let end = run_end(bytes, start);
        at = end.max(start + 1);
        let joined = start > 0 && joins(bytes[start - 1]);
        // A stop or dash before white space is the sentence's.
        let goes_on = bytes.get(end).is_some_and(|&next| {
            let after = bytes.get(end + 1).is_some_and(|byte| !byte.is_ascii_whitespace());
            joins(next) && (after || !matches!(next, b'.' | b':' | b'-' | b'*'))
        });
        if !joined && !goes_on && is_number(&text[start..end], &text[..start]) {
            found.push(start..end);
        }
    }
    found
}

/// What makes digits beside it part of something longer.
fn joins(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_$=*/^%#:.+-".contains(&byte)
}

/// The end of a run of digits, single separators and brackets, which ends with a digit.
fn run_end(bytes: &[u8], start: usize) -> usize {
    let limit = bytes.len().min(start + BYTES_MAX);
    let mut end = start;
    let mut at = start;
    while at < limit {
        match bytes[at] {
            b'0'..=b'9' => end = at + 1,
            b'+' if at == start => {}
            b'(' | b')' => {}
            b' ' | b'-' | b'.' if !bytes[at - 1].is_ascii_whitespace() => {}
            _ => break,
        }
        at += 1;
    }
    // Digits beyond the limit belong to the run, which is then no number.
    end + bytes[end..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_number(run: &str, before: &str) -> bool {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    if let Some(rest) = run.strip_prefix('+') {
        return rest.starts_with(|c: char| c.is_ascii_digit() && c != '0')
            && INTERNATIONAL_DIGITS.contains(&digits)
            && is_balanced(run);
    }
    if is_north_american(run) {
        return !announces(before, &["isbn", "issn", "doi"]);
    }
    NAMED_DIGITS.contains(&digits) && is_balanced(run) && announces(before, &NAMES)
}

fn is_balanced(run: &str) -> bool {
    run.matches('(').count() == run.matches(')').count()
}

/// `NXX-NXX-XXXX` with one separator throughout, or `(NXX) NXX-XXXX`; a 1 may stand before it.
fn is_north_american(run: &str) -> bool {
    let run = run.strip_prefix("1-").or_else(|| run.strip_prefix("1 ")).unwrap_or(run);
    let bytes = run.as_bytes();
    let (area, rest) = match bytes {
        [b'(', a, b, c, b')', b' ', rest @ ..] | [b'(', a, b, c, b')', rest @ ..] => {
            ([*a, *b, *c], rest)
        }
        [a, b, c, first, rest @ ..] => match rest {
            [_, _, _, second, ..] if first == second && !first.is_ascii_digit() => {
                ([*a, *b, *c], rest)
            }
            _ => return false,
        },
        _ => return false,
    };
    let [d, e, f, separator, last @ ..] = rest else { return false };
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    digits(&area)
        && digits(&[*d, *e, *f])
        && (b'2'..=b'9').contains(&area[0])
        && (b'2'..=b'9').contains(d)
        && matches!(separator, b'-' | b'.' | b' ')
        && last.len() == 4
        && digits(last)
}

/// True when one of the words stands shortly before.
fn announces(before: &str, words: &[&str]) -> bool {
    let start = before.ceil_char_boundary(before.len().saturating_sub(LOOKBACK_BYTES));
    let tail = before[start..].to_ascii_lowercase();
    tail.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
}
