//! Ways in which a leak is set anew.

use crate::prose::Draw;

/// Upper case, lower case, or every word with a capital.
pub(crate) fn recased(draw: &mut Draw, text: &str) -> String {
    match draw.below(3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => {
            let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
            text.split(' ').map(capital).collect::<Vec<_>>().join(" ")
        }
    }
}

/// All punctuation left out, made into spaces, or made into other punctuation.
pub(crate) fn repunctuated(draw: &mut Draw, text: &str) -> String {
    let mark = |character: char| character.is_ascii_punctuation();
    match draw.below(4) {
        0 => text.replace(mark, ""),
        1 => text.replace(mark, " "),
        2 => text.replace('\'', "’").replace('-', "–").replace([',', '.', ';'], " —"),
        _ => text.split(' ').collect::<Vec<_>>().join(draw.one(&[", ", " * ", " / "])),
    }
}

/// Lines of so many characters, some with a mark of quotation or comment before them.
pub(crate) fn wrapped(draw: &mut Draw, text: &str) -> String {
    let columns = draw.between(30, 72);
    let next_line = draw.one(&["\n", "\r\n", "\n    ", "\n> ", "\n# "]);
    set(text, columns, next_line, false)
}

/// Lines of so many characters, words cut where a line is full.
pub(crate) fn hyphenated(draw: &mut Draw, text: &str) -> String {
    let columns = draw.between(20, 60);
    set(text, columns, draw.one(&["-\n", "-\r\n", "-\n   ", "\u{ad}\n", "\u{2010}\n"]), true)
}

fn set(text: &str, columns: usize, next_line: &str, cut_words: bool) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        if column > 0 && column + letters.len() >= columns {
            let cut = columns.saturating_sub(column + 1).clamp(2, letters.len().max(4) - 2);
            if cut_words
                && letters.len() > 4
                && letters.iter().all(|letter| letter.is_alphanumeric())
            {
                out.push(' ');
                out.extend(&letters[..cut]);
                out += next_line;
                out.extend(&letters[cut..]);
                column = letters.len() - cut;
                continue;
            }
            out += next_line.trim_start_matches(['-', '\u{ad}', '\u{2010}']);
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += letters.len();
    }
    out
}
