//! How values become words on a page.

use hornbook_types::Reason;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::macros::format_description;

/// Longest text in a title, an attribute or a link, in characters.
const ONE_LINE_CHARS: usize = 120;

/// `text` as it may stand in a title: tame, and not too long.
pub(super) fn one_line(text: &str) -> String {
    excerpt(&tame(text), ONE_LINE_CHARS)
}

/// `text` on one line, without controls or overrides of direction.
pub(super) fn tame(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
        .filter(|c| !turns_text(*c))
        .collect();
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// True for the invisible characters that change the direction of what follows them.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The first `chars` characters of `text`, with an ellipsis where more follow.
pub(super) fn excerpt(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// `12345` as `12,345`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that may be very large, to three digits: `1.23 billion`.
pub(super) fn large(value: u64) -> String {
    const UNITS: [(u64, &str); 3] =
        [(1_000_000_000_000, "trillion"), (1_000_000_000, "billion"), (1_000_000, "million")];
    match UNITS.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => {
            let number = value as f64 / unit as f64;
            let digits = if number < 9.995 { 2 } else { usize::from(number < 99.95) };
            format!("{number:.digits$} {name}")
        }
        None => count(value),
    }
}

/// A size in bytes, as people say it.
pub(super) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KB", "MB", "GB", "TB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    if unit == 0 || size >= 99.5 {
        format!("{size:.0} {}", UNITS[unit])
    } else {
        format!("{size:.1} {}", UNITS[unit])
    }
}

/// A length of time in seconds, as people say it.
pub(super) fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

/// A word of the API (`too_short`) as a label (`Too short`).
pub(super) fn label(word: &str) -> String {
    label_words(&word.replace('_', " "))
}

/// `words` with a capital at its beginning.
pub(super) fn label_words(words: &str) -> String {
    let mut chars = words.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    first + chars.as_str()
}

/// What a reason means, for those who see it for the first time; empty for errors.
pub(super) fn meaning(reason: &str) -> &'static str {
    match Reason::ALL.into_iter().find(|known| known.as_str() == reason) {
        Some(Reason::Empty) => "nothing but white space",
        Some(Reason::Truncated) => "cut off by the most tokens that a document may have",
        Some(Reason::Looped) => "went in circles and was ended for it",
        Some(Reason::TooShort) => "fewer tokens than its audience needs",
        Some(Reason::TooLong) => "more tokens than allowed",
        Some(Reason::BannedOpening) => "begins with a phrase that no document may begin with",
        Some(Reason::Unfinished) => "stops in the middle of a sentence",
        Some(Reason::SeedCopy) => "copies the seed's text",
        Some(Reason::PromptEcho) => "repeats the prompt",
        Some(Reason::Language) => "another language than was asked for",
        Some(Reason::Readability) => "too easy or too hard for its audience",
        Some(Reason::Profanity) => "more profane words than allowed",
        Some(Reason::CommonOpening) => "too many documents begin with the same words",
        Some(Reason::Refusal) => "the model declined instead of writing",
        Some(Reason::Repetition) => "repeats itself",
        Some(Reason::DuplicateExact) => "the same text as an earlier document",
        None => "",
    }
}

/// `words` as a value in a query string.
pub(super) fn query(words: &str) -> String {
    utf8_percent_encode(words, NON_ALPHANUMERIC).to_string()
}

/// A time for people, in UTC.
pub(super) fn date(at: OffsetDateTime) -> String {
    let shape =
        format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
    at.to_offset(time::UtcOffset::UTC).format(shape).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 7, 999, 1_000, 1_234_567].map(count),
            ["0", "7", "999", "1,000", "1,234,567"]
        );
        assert_eq!(large(999_999), "999,999");
        assert_eq!(large(3_760_446), "3.76 million");
        assert_eq!(large(600_000_000_000), "600 billion");
        assert_eq!(large(34_000_000_000), "34.0 billion");
        assert_eq!(large(1_000_000_000_000), "1.00 trillion");
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1_000), "1.0 KB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(123_456_789), "123 MB");
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3_725), "1 h 2 min");
        assert_eq!(label("succeeded_with_errors"), "Succeeded with errors");
    }

    #[test]
    fn a_title_is_one_tame_line() {
        assert_eq!(one_line("a\u{202E}b\n\n c\u{0007}d"), "ab c d");
        assert_eq!(one_line(&"ä".repeat(200)).chars().count(), ONE_LINE_CHARS + 1);
        assert_eq!(excerpt("añb", 2), "añ…");
        assert_eq!(excerpt("añb", 3), "añb");
    }
}
