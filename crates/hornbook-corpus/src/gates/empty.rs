//! `empty`: nothing to read.

/// True when a text has nothing but white space, control characters and invisible joiners.
pub(super) fn is_empty(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}
