//! Cuts a template's source into text, outputs and tags, and those into tokens.
//!
//! Tera keeps its syntax tree to itself, and the rules of the sandbox need to see one.
//! This scanner follows Tera's lexer to the letter where the two could disagree about
//! what is code and what is text: markers, whitespace control, `raw`, comments, strings.

use std::ops::Range;

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Written as it stands; `raw` blocks too.
    Text(Range<usize>),
    /// `{{ .. }}`
    Output(Code),
    /// `{% .. %}`
    Tag(Code),
}

/// The inside of an output or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// From the opening marker to after the closing one, in bytes.
    pub(crate) range: Range<usize>,
    /// Where the closing marker begins (its `-` included).
    pub(crate) close: usize,
    /// True when the closing marker trims what follows.
    pub(crate) trims_after: bool,
    /// The tokens between the markers.
    pub(crate) tokens: Vec<Token>,
}

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident,
    Text,
    Number,
    Mark,
}

impl Token {
    /// The token as written.
    pub(crate) fn of<'s>(&self, source: &'s str) -> &'s str {
        &source[self.range.clone()]
    }

    /// True for the punctuation or identifier `text`, never for a quoted string.
    pub(crate) fn is(&self, source: &str, text: &str) -> bool {
        self.kind != Kind::Text && self.of(source) == text
    }
}

/// Cuts `source` up, or says at which byte it could not go on.
pub(crate) fn scan(source: &str) -> Result<Vec<Piece>, usize> {
    let bytes = source.as_bytes();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..bytes.len().min(at + 2)] {
            b"{{" => {
                let code = scan_code(source, at, b"}}")?;
                at = code.range.end;
                pieces.push(Piece::Output(code));
            }
            b"{%" => {
                if let Some(end) = raw_block(source, at)? {
                    pieces.push(Piece::Text(at..end));
                    at = end;
                } else {
                    let code = scan_code(source, at, b"%}")?;
                    at = code.range.end;
                    pieces.push(Piece::Tag(code));
                }
            }
            b"{#" => {
                // As in Tera, the search for the end begins after the opening marker.
                let from = at + if bytes.get(at + 2) == Some(&b'-') { 3 } else { 2 };
                let end = find(&bytes[from..], b"#}").ok_or(at)?;
                at = from + end + 2;
            }
            _ => {
                let length = bytes[at..]
                    .windows(2)
                    .position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
                    .unwrap_or(bytes.len() - at);
                pieces.push(Piece::Text(at..at + length));
                at += length;
            }
        }
    }
    Ok(pieces)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The length of `-? name -? %}` at the head of `text`.
fn tag_named(text: &str, name: &str) -> Option<usize> {
    let blank = |c: char| c.is_ascii_whitespace();
    let rest = text.strip_prefix('-').unwrap_or(text).trim_start_matches(blank);
    let rest = rest.strip_prefix(name)?.trim_start_matches(blank);
    let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}

/// The end of a `raw` block that begins at `at`, if one does.
fn raw_block(source: &str, at: usize) -> Result<Option<usize>, usize> {
    let mut from = at + if source.as_bytes().get(at + 2) == Some(&b'-') { 3 } else { 2 };
    let Some(head) = tag_named(&source[from..], "raw") else { return Ok(None) };
    from += head;
    while let Some(block) = find(&source.as_bytes()[from..], b"{%") {
        from += block + 2;
        if let Some(tail) = tag_named(&source[from..], "endraw") {
            return Ok(Some(from + tail));
        }
    }
    Err(at)
}

fn scan_code(source: &str, start: usize, closing: &[u8; 2]) -> Result<Code, usize> {
    let bytes = source.as_bytes();
    let mut at = start + if bytes.get(start + 2) == Some(&b'-') { 3 } else { 2 };
    let mut tokens = Vec::new();
    loop {
        let Some(&byte) = bytes.get(at) else { return Err(start) };
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let trims_after = byte == b'-' && bytes[at + 1..].starts_with(closing);
        if trims_after || bytes[at..].starts_with(closing) {
            let end = at + 2 + usize::from(trims_after);
            return Ok(Code { range: start..end, close: at, trims_after, tokens });
        }
        let (kind, length) = token(&bytes[at..]).ok_or(at)?;
        tokens.push(Token { kind, range: at..at + length });
        at += length;
    }
}

/// Kind and length of the token at the head of `bytes`.
fn token(bytes: &[u8]) -> Option<(Kind, usize)> {
    const LONG: [&[u8]; 10] =
        [b"...", b"//", b"**", b"==", b"!=", b">=", b"<=", b"</", b"?.", b"?["];
    if let Some(mark) = LONG.into_iter().find(|mark| bytes.starts_with(mark)) {
        return Some((Kind::Mark, mark.len()));
    }
    let first = *bytes.first()?;
    match first {
        b'\'' | b'"' | b'`' => {
            let mut escaped = false;
            for (index, &byte) in bytes.iter().enumerate().skip(1) {
                if escaped {
                    escaped = false;
                } else if byte == b'\\' {
                    escaped = true;
                } else if byte == first {
                    return Some((Kind::Text, index + 1));
                }
            }
            None
        }
        b'0'..=b'9' => {
            let mut dotted = false;
            let length = bytes
                .iter()
                .take_while(|&&byte| {
                    let dot = byte == b'.' && !dotted;
                    dotted |= dot;
                    dot || byte.is_ascii_digit()
                })
                .count();
            Some((Kind::Number, length))
        }
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
            let word = |byte: &&u8| **byte == b'_' || byte.is_ascii_alphanumeric();
            Some((Kind::Ident, bytes.iter().take_while(word).count()))
        }
        _ if b"+-*/%!.,:~|=><()[]{}@".contains(&first) => Some((Kind::Mark, 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        let mut out = Vec::new();
        for piece in scan(source).unwrap() {
            match piece {
                Piece::Text(range) => out.push(format!("text:{}", &source[range])),
                Piece::Output(code) | Piece::Tag(code) => {
                    out.extend(code.tokens.iter().map(|token| token.of(source).to_owned()));
                }
            }
        }
        out
    }

    #[test]
    fn follows_the_lexer_of_tera() {
        assert_eq!(
            words("a {{- seed.x|upper -}} b"),
            ["text:a ", "seed", ".", "x", "|", "upper", "text: b"]
        );
        assert_eq!(
            words("{% if a == '%}' %}x{% endif %}"),
            ["if", "a", "==", "'%}'", "text:x", "endif"]
        );
        assert_eq!(words("{# {{ no }} #}y"), ["text:y"]);
        assert_eq!(
            words("{% raw %}{{ no }}{%- endraw -%}z"),
            ["text:{% raw %}{{ no }}{%- endraw -%}", "text:z"]
        );
        assert_eq!(words(r#"{{ "a\"}}" }}"#), [r#""a\"}}""#]);
        assert!(scan("{{ a").is_err());
        assert!(scan("{% raw %}").is_err());
    }
}
