//! Making what a server said fit for logs and people.

use crate::Secret;

/// Longest message of an error.
pub const MESSAGE_CHARS: usize = 300;
/// Longest name that a server may give to a model or a finish reason.
pub(crate) const NAME_CHARS: usize = 120;

/// One line of at most `limit_chars`, without control characters and without the secret.
pub fn clean(text: &str, secret: Option<&Secret>, limit_chars: usize) -> String {
    let redacted = match secret.map(Secret::expose) {
        Some(key) if !key.is_empty() && text.contains(key) => text.replace(key, "[key]"),
        _ => text.to_owned(),
    };
    let mut line = String::with_capacity(redacted.len().min(limit_chars));
    let mut chars_left = limit_chars;
    let words = redacted.split(|c: char| c.is_control() || c.is_whitespace());
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() && chars_left > 0 {
            line.push(' ');
            chars_left -= 1;
        }
        for c in word.chars().filter(|c| !is_invisible(*c)) {
            if chars_left == 0 {
                line.push('…');
                return line;
            }
            line.push(c);
            chars_left -= 1;
        }
    }
    line
}

/// Shortest key that is looked for in answers; shorter ones may be words of the text.
const KEY_BYTES_MIN: usize = 8;

/// An answer's text without the key: documents are published, and a server may echo its request.
pub(crate) fn withhold(text: String, secret: Option<&Secret>) -> String {
    match secret.map(Secret::expose) {
        Some(key) if key.len() >= KEY_BYTES_MIN && text.contains(key) => text.replace(key, "[key]"),
        _ => text,
    }
}

/// Characters that reorder or hide text on a terminal.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_keys_and_control_characters_out() {
        let key = Secret::new("sk-abc");
        assert_eq!(
            clean("bad key sk-abc\r\n\u{1b}[31mred\0", Some(&key), 300),
            "bad key [key] [31mred"
        );
        assert_eq!(clean("abcdef", None, 3), "abc…");
        let key = Secret::new("sk-abcdef");
        assert_eq!(withhold("say\nsk-abcdef!".to_owned(), Some(&key)), "say\n[key]!");
        assert_eq!(withhold("a word".to_owned(), Some(&Secret::new("word"))), "a word");
        assert_eq!(clean("", Some(&Secret::new("")), 3), "");
    }
}
