//! The running text of a document: what is left without code, tables, formulas and headings.

/// A line of a document, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing but white space.
    Blank,
    /// A heading, marks and white space around it cut off.
    Heading(&'a str),
    /// An item of a list, its mark cut off.
    Item(&'a str),
    /// Words in a row.
    Prose(&'a str),
    /// Code, a row of a table, a formula, a rule.
    Other,
}

/// The lines of a document.
pub(super) struct Lines<'a> {
    rest: std::str::Lines<'a>,
    in_fence: bool,
    in_formula: bool,
}

/// Reads a document line by line.
pub(super) fn lines(text: &str) -> Lines<'_> {
    Lines { rest: text.lines(), in_fence: false, in_formula: false }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let line = self.rest.next()?;
        let bare = line.trim();
        if bare.starts_with("```") || bare.starts_with("~~~") {
            self.in_fence = !self.in_fence;
            return Some(Line::Other);
        }
        if self.in_fence {
            return Some(Line::Other);
        }
        if bare.starts_with("$$") || bare == r"\[" || bare == r"\]" {
            let opens_only = bare == r"\[" || (bare.starts_with("$$") && !ends_formula(bare));
            self.in_formula = !self.in_formula && opens_only;
            return Some(Line::Other);
        }
        if self.in_formula {
            self.in_formula = !bare.ends_with("$$");
            return Some(Line::Other);
        }
        let is_indented = line.starts_with('\t') || line.starts_with("    ");
        Some(kind(bare, is_indented))
    }
}

/// True when a line that begins with `$$` also ends its formula.
fn ends_formula(bare: &str) -> bool {
    bare.len() > 3 && bare.ends_with("$$")
}

fn kind(bare: &str, is_indented: bool) -> Line<'_> {
    if bare.is_empty() {
        return Line::Blank;
    }
    let bytes = bare.as_bytes();
    match bytes[0] {
        b'#' => return Line::Heading(bare.trim_matches(['#', ' ', '\t'])),
        b'|' | b'<' | b'{' | b'}' | b'\\' => return Line::Other,
        _ => {}
    }
    if let Some(item) = item(bare) {
        return Line::Item(item);
    }
    if is_indented && !ends_like_prose(bare) {
        return Line::Other;
    }
    let is_bold_all = bare.len() > 4 && bare.starts_with("**") && bare.ends_with("**");
    if is_bold_all && !bare[2..bare.len() - 2].contains("**") {
        return Line::Heading(&bare[2..bare.len() - 2]);
    }
    if !bytes.iter().any(|&byte| byte.is_ascii_alphanumeric() || byte >= 0x80) {
        return Line::Other;
    }
    Line::Prose(bare.trim_start_matches(['>', ' ']))
}

/// What follows the mark of a list's item: a dash, star, dot or number.
fn item(bare: &str) -> Option<&str> {
    for mark in ["- ", "* ", "+ ", "• ", "– "] {
        if let Some(rest) = bare.strip_prefix(mark) {
            return Some(rest.trim_start());
        }
    }
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &bare[digits..];
    let marked = (1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "));
    marked.then(|| rest[2..].trim_start())
}

/// Indented lines are code, unless they end as a sentence does.
fn ends_like_prose(bare: &str) -> bool {
    bare.ends_with(['.', '!', '?', '”', '"', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let text = "# A title #\nSome words.\n\n- one\n12. twelve\n2024 was a year.\n```rust\nlet \
                    a = 1.\n```\n| a | b |\n---\n    indented = code\n**Bold**\n**Bold** and not\n$$\nx\n$$\n$$ y $$\nEnd.";
        let all: Vec<Line<'_>> = lines(text).collect();
        let expected = [
            Line::Heading("A title"),
            Line::Prose("Some words."),
            Line::Blank,
            Line::Item("one"),
            Line::Item("twelve"),
            Line::Prose("2024 was a year."),
            Line::Other,
            Line::Other,
            Line::Other,
            Line::Other,
            Line::Other,
            Line::Other,
            Line::Heading("Bold"),
            Line::Prose("**Bold** and not"),
            Line::Other,
            Line::Other,
            Line::Other,
            Line::Other,
            Line::Prose("End."),
        ];
        assert_eq!(all, expected);
    }
}
