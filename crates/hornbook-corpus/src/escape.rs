//! Words of others, made harmless in Markdown, YAML, XML and shells.

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

/// A text as the content or a quoted attribute of an XML element, on one line.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ if is_unprintable(character) || character.is_whitespace() => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}

/// A text of many lines as a fenced block of Markdown that nothing in it can end.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    let (mut longest, mut run) = (2, 0);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
        let is_kept = matches!(character, '\n' | '\t') || !is_unprintable(character);
        shown.push(if is_kept { character } else { '\u{fffd}' });
    }
    let fence = "`".repeat(longest + 1);
    let end = if shown.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{shown}{end}{fence}\n")
}

/// A text as one word of a shell; `None` where it could not be shown on a line.
pub(crate) fn shell(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+,:@".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return Some(text.to_owned());
    }
    let is_hidden = text.chars().any(|c| is_unprintable(c) || (c.is_whitespace() && c != ' '));
    // What begins with a dash would be an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    (!is_hidden).then(|| format!("'{}'", text.replace('\'', r"'\''")))
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
    fn xml_is_text_and_nothing_else() {
        let shown = "&lt;/title&gt;&lt;script&gt; &quot;&amp;&#39; ";
        assert_eq!(xml("</title><script>\n\"&'\u{0}"), shown);
    }

    #[test]
    fn nothing_ends_a_fence_but_its_end() {
        assert_eq!(fenced("", "a"), "```\na\n```\n");
        let hostile = fenced("text", "x\n````\n# y\u{202e}\r\n```` z\n");
        assert_eq!(hostile, "`````text\nx\n````\n# y\u{fffd}\u{fffd}\n```` z\n`````\n");
    }

    #[test]
    fn a_shell_sees_one_word() {
        assert_eq!(shell("a-b_1.jsonl").as_deref(), Some("a-b_1.jsonl"));
        assert_eq!(shell("$(rm -r x); 'y'").as_deref(), Some(r"'$(rm -r x); '\''y'\'''"));
        assert_eq!(shell("--out").as_deref(), Some("'./--out'"));
        assert_eq!(shell("a\nb"), None);
    }

    #[test]
    fn markdown_is_one_harmless_line() {
        assert_eq!(markdown("a\n# b"), "a \\# b");
        assert_eq!(markdown("<img src=x onerror=y>"), "&lt;img src=x onerror=y&gt;");
        assert_eq!(markdown("![x](y) `z` | *w*"), "\\!\\[x\\](y) \\`z\\` \\| \\*w\\*");
        assert_eq!(markdown("SmolLM2-135M.gguf"), "SmolLM2-135M.gguf");
    }
}
