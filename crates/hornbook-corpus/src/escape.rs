//! Words of others, made harmless in Markdown and YAML.

/// A text as one line of Markdown that shows the text itself and nothing else.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            _ if is_unprintable(character) || character.is_whitespace() => out.push(' '),
            // A name such as `foo-bar.gguf` stays readable: these mean something only at a line's start.
            '-' | '.' | ',' | '/' | ':' | ';' | '\'' | '"' | '%' | '?' | '=' | '@' | '(' | ')' => {
                out.push(character);
            }
            _ if character.is_ascii_punctuation() => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    out.trim().to_owned()
}

/// A text as a double-quoted YAML scalar (YAML 1.2, section 7.3.1).
pub(crate) fn yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if is_unprintable(character) => {
                out.push_str(&format!("\\U{:08x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// Characters outside YAML's printable set, and those that turn lines or the direction of writing.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_one_quoted_scalar() {
        assert_eq!(yaml("plain: name # no"), "\"plain: name # no\"");
        assert_eq!(yaml("a\"b\\c\n---\nlicense: mit"), "\"a\\\"b\\\\c\\n---\\nlicense: mit\"");
        assert_eq!(yaml("\u{2028}\u{85}\u{7f}"), "\"\\U00002028\\U00000085\\U0000007f\"");
    }

    #[test]
    fn markdown_is_one_harmless_line() {
        assert_eq!(markdown("a\n# b"), "a \\# b");
        assert_eq!(markdown("<img src=x onerror=y>"), "&lt;img src=x onerror=y&gt;");
        assert_eq!(markdown("![x](y) `z` | *w*"), "\\!\\[x\\](y) \\`z\\` \\| \\*w\\*");
        assert_eq!(markdown("SmolLM2-135M.gguf"), "SmolLM2-135M.gguf");
    }
}
