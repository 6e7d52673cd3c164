//! Byte ranges of a file (RFC 9110, section 14).

use std::ops::Range;

use http::HeaderMap;
use http::header::{IF_RANGE, RANGE};

/// What part of a file a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Unsatisfiable,
}

/// Reads `Range` and `If-Range` for a file of `length_bytes` with the strong ETag `tag`.
///
/// A range that is not well-formed, or several at once, are ignored, as the RFC allows.
pub(crate) fn asked(headers: &HeaderMap, tag: &str, length_bytes: u64) -> Asked {
    let Some(range) = headers.get(RANGE).and_then(|range| range.to_str().ok()) else {
        return Asked::Whole;
    };
    // A date never matches: files are known by content here, not by time.
    if headers.get(IF_RANGE).is_some_and(|condition| condition.as_bytes() != tag.as_bytes()) {
        return Asked::Whole;
    }
    parse(range, length_bytes).unwrap_or(Asked::Whole)
}

fn parse(range: &str, length: u64) -> Option<Asked> {
    let (unit, spec) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let suffix = number(last)?;
        if suffix == 0 || length == 0 {
            return Some(Asked::Unsatisfiable);
        }
        return Some(Asked::Part(length.saturating_sub(suffix)..length));
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    if first >= length {
        return Some(Asked::Unsatisfiable);
    }
    Some(Asked::Part(first..last.saturating_add(1).min(length)))
}

fn number(digits: &str) -> Option<u64> {
    // A number too large for us is past the end of any file.
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(range: &str) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, range.parse().unwrap());
        asked(&headers, "\"t\"", 100)
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        assert_eq!(ask("bytes=0-9"), Asked::Part(0..10));
        assert_eq!(ask("bytes=90-"), Asked::Part(90..100));
        assert_eq!(ask("bytes=90-1000"), Asked::Part(90..100));
        assert_eq!(ask("bytes=-30"), Asked::Part(70..100));
        assert_eq!(ask("bytes=-3000"), Asked::Part(0..100));
        assert_eq!(ask("bytes=-99999999999999999999999"), Asked::Part(0..100));
        assert_eq!(ask("bytes=0-18446744073709551615"), Asked::Part(0..100));
        for past in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(ask(past), Asked::Unsatisfiable, "{past}");
        }
        for ignored in ["bytes=5-2", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=-", "bytes"]
        {
            assert_eq!(ask(ignored), Asked::Whole, "{ignored}");
        }
    }

    #[test]
    fn if_range_wants_the_same_file() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, "bytes=1-2".parse().unwrap());
        headers.insert(IF_RANGE, "\"t\"".parse().unwrap());
        assert_eq!(asked(&headers, "\"t\"", 100), Asked::Part(1..3));
        assert_eq!(asked(&headers, "\"other\"", 100), Asked::Whole);
    }
}
