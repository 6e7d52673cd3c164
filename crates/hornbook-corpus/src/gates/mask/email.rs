//! E-mail addresses.

use std::ops::Range;

/// Longest part before the at sign (RFC 5321, 4.5.3.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest part after it.
const DOMAIN_BYTES_MAX: usize = 255;

/// E-mail addresses in a text: `name@label.label`, the last label of two letters or more.
///
/// No hits: decorators (`@app.route`), packages (`name@1.2.3`), repositories (`git@host.example:path`),
/// products of matrices (`a@b.dot(c)`).
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let floor =
            found.last().map_or(0, |last| last.end).max(at.saturating_sub(LOCAL_BYTES_MAX + 1));
        let mut start = at;
        while start > floor && is_local(bytes[start - 1]) {
            start -= 1;
        }
        while start < at && !bytes[start].is_ascii_alphanumeric() {
            start += 1;
        }
        let Some(end) = domain_end(bytes, at + 1) else { continue };
        let follows = bytes.get(end).copied().unwrap_or(b' ');
        let is_path =
            follows == b':' && bytes.get(end + 1).is_some_and(|b| !b.is_ascii_whitespace());
        if start == at || at - start > LOCAL_BYTES_MAX || matches!(follows, b'(' | b'@') || is_path
        {
            continue;
        }
        found.push(start..end);
    }
    found
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

/// Where a domain that begins at `start` ends, if it is one.
fn domain_end(bytes: &[u8], start: usize) -> Option<usize> {
    let limit = bytes.len().min(start + DOMAIN_BYTES_MAX);
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let mut end = start + bytes[start..limit].iter().take_while(|byte| is_domain(byte)).count();
    while end > start && !bytes[end - 1].is_ascii_alphanumeric() {
        end -= 1;
    }
    let domain = &bytes[start..end];
    let mut labels = domain.split(|&byte| byte == b'.');
    let last = labels.next_back()?;
    let is_name = last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic);
    let whole = labels.clone().count() > 0
        && labels.all(|label| label.first().is_some_and(u8::is_ascii_alphanumeric));
    (is_name && whole).then_some(end)
}
