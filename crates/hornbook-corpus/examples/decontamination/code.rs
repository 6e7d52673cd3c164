//! Python and Markdown tables: text in which unrelated documents share much.

use std::fmt::Write as _;

use crate::prose::{Draw, Language, STOCK_PERCENT};

/// Names that half of all variables have.
const NAMES: [&str; 24] = [
    "x", "y", "n", "i", "j", "k", "a", "b", "s", "numbers", "items", "result", "total", "count",
    "value", "values", "data", "text", "words", "word", "key", "left", "right", "lst",
];
/// What everybody writes; capital letters stand for names.
const IDIOMS: [&str; 16] = [
    "for A in range(len(B)):\n    if B[A] > C:\n        C = B[A]\nreturn C\n",
    "C = 0\nfor A in B:\n    C += A\nreturn C\n",
    "if A <= 1:\n    return 1\nreturn A * F(A - 1)\n",
    "if A == 0:\n    return 0\nif A == 1:\n    return 1\nreturn F(A - 1) + F(A - 2)\n",
    "return [A for A in B if A % 2 == 0]\n",
    "C = {}\nfor A in B:\n    if A in C:\n        C[A] += 1\n    else:\n        C[A] = 1\nreturn C\n",
    "while A != B:\n    if A > B:\n        A -= B\n    else:\n        B -= A\nreturn A\n",
    "with open(A) as B:\n    for C in B:\n        yield C.strip().split(',')\n",
    "try:\n    return int(A)\nexcept ValueError:\n    return None\n",
    "C = []\nfor A in B:\n    if A not in C:\n        C.append(A)\nreturn sorted(C)\n",
    "for A in range(2, int(B ** 0.5) + 1):\n    if B % A == 0:\n        return False\nreturn True\n",
    "for A in range(len(B)):\n    for C in range(A + 1, len(B)):\n        if B[A] == B[C]:\n            return True\nreturn False\n",
    "return ''.join(reversed(A)).lower() == A.lower()\n",
    "if not isinstance(A, list):\n    raise TypeError('A must be a list')\nreturn max(A) - min(A)\n",
    "self.A = A\nself.B = B\nself.C = None\n",
    "A, B = 0, len(C) - 1\nwhile A <= B:\n    D = (A + B) // 2\n    if C[D] == E:\n        return D\n    if C[D] < E:\n        A = D + 1\n    else:\n        B = D - 1\nreturn -1\n",
];

/// A function with a docstring: what a benchmark of code asks for, and what everybody writes.
pub(crate) fn function(language: &Language, draw: &mut Draw) -> String {
    let name = format!("{}_{}", language.word(draw), language.word(draw));
    let names: Vec<String> = (0..5)
        .map(|_| match draw.percent(50) {
            true => draw.one(&NAMES).to_owned(),
            false => language.word(draw).to_owned(),
        })
        .collect();
    let words = draw.between(8, 30);
    let mut text = format!("def {name}({}, {}):\n    \"\"\"", names[0], names[1]);
    text += &language.sentence(draw, words, STOCK_PERCENT);
    text += ".\n    \"\"\"\n";
    for _ in 0..draw.between(1, 2) {
        for line in draw.one(&IDIOMS).lines() {
            text += "    ";
            let mut spelt = line.chars().peekable();
            let mut before = ' ';
            while let Some(letter) = spelt.next() {
                let alone = !before.is_alphanumeric()
                    && spelt.peek().is_none_or(|next| !next.is_alphanumeric());
                match letter {
                    'A'..='E' if alone => text += &names[letter as usize - 'A' as usize],
                    'F' if alone => text += &name,
                    _ => text.push(letter),
                }
                before = letter;
            }
            text.push('\n');
        }
    }
    text + "\n\n"
}

/// A module of such functions.
pub(crate) fn module(language: &Language, draw: &mut Draw, bytes: usize) -> Vec<String> {
    let imports =
        "from typing import Dict, List, Optional\n\nimport argparse\nimport json\nimport sys\n\n\n";
    let mut parts = vec![imports.to_owned()];
    while parts.iter().map(String::len).sum::<usize>() < bytes {
        parts.push(function(language, draw));
    }
    parts.push("if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n".to_owned());
    parts
}

/// Pages of Markdown tables full of numbers.
pub(crate) fn tables(language: &Language, draw: &mut Draw, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        let columns = draw.between(2, 7);
        let heads: Vec<&str> = (0..columns).map(|_| language.word(draw)).collect();
        let _ = writeln!(text, "| no | {} |\n|---|{}", heads.join(" | "), "---:|".repeat(columns));
        for row in 1..=draw.between(3, 30) {
            let cells: Vec<String> = (0..columns).map(|_| draw.below(120).to_string()).collect();
            let _ = writeln!(text, "| {row} | {} |", cells.join(" | "));
        }
        text.push('\n');
    }
    text
}
