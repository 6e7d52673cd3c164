//! What a command prints: lines for people, JSON for machines, and nothing else on stdout.

use std::io::Write as _;

use serde_json::Value;

use crate::exit::{Context as _, Outcome};

/// Writes one line to stdout; a closed pipe is an error, not a panic.
pub(crate) fn line(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", printable(text)).and_then(|()| out.flush()).context("writing to stdout")
}

/// Writes a text as it is, for output that is meant to be read by a program.
pub(crate) fn raw(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing to stdout")
}

/// Writes one JSON value on one line.
pub(crate) fn json(value: &Value) -> Outcome {
    raw(&format!("{value}\n"))
}

/// Rows under headings, columns as wide as their widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Outcome {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let format_row = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| {
                format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count())))
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let heads: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    line(&format_row(&heads))?;
    for row in &rows {
        line(&format_row(row))?;
    }
    Ok(())
}

/// Control characters would let a hostile name or text rewrite the user's terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c })
        .collect()
}

/// A cell of a table: a line break in it would pass for another row.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// The text at `key` of a JSON object, or what stands there as JSON, or nothing.
pub(crate) fn text(value: &Value, key: &str) -> String {
    match value.pointer(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{one_line, printable};

    #[test]
    fn terminal_escapes_are_disarmed() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\u{FFFD}[2Jb\nc");
        assert_eq!(one_line("a\nb\tc\r"), "a b c\u{FFFD}");
    }
}
