//! What a template may contain: the static half of the sandbox.

use crate::sandbox::{ELIF_TAGS, FILTERS, FOR_DEPTH, FUNCTIONS, SET_TAGS, TESTS};
use crate::scan::{Code, Kind, Piece, Token};

/// A construct that the sandbox does not allow, and where it begins in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) at: usize,
    pub(crate) message: String,
}

const TAGS: [&str; 10] =
    ["if", "elif", "else", "endif", "for", "endfor", "set", "set_global", "break", "continue"];
const ROOTS: [&str; 3] = ["seed", "audience", "job"];

/// Refuses long `elif` chains, which overflow the stack of Tera's parser.
///
/// Looks at the bare text, because it must come before anything that could fail half-way.
pub(crate) fn check_elifs(source: &str) -> Result<(), Breach> {
    let mut tags = source.match_indices("{%").filter(|(at, _)| {
        let rest = &source[at + 2..];
        rest.strip_prefix('-').unwrap_or(rest).trim_start().starts_with("elif")
    });
    match tags.nth(ELIF_TAGS) {
        Some((at, _)) => breach(at, format!("a template may hold at most {ELIF_TAGS} 'elif' tags")),
        None => Ok(()),
    }
}

/// Refuses everything that could reach outside the template or grow without bound.
pub(crate) fn check(source: &str, pieces: &[Piece]) -> Result<(), Breach> {
    let mut depth = 0;
    let mut sets = 0;
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Output(code) => check_expression(source, &code.tokens, false)?,
            Piece::Tag(code) => check_tag(source, code, &mut depth, &mut sets)?,
        }
    }
    Ok(())
}

fn breach<T>(at: usize, message: impl Into<String>) -> Result<T, Breach> {
    Err(Breach { at, message: message.into() })
}

fn check_tag(source: &str, code: &Code, depth: &mut usize, sets: &mut usize) -> Result<(), Breach> {
    let start = code.range.start;
    let Some(head) = code.tokens.first() else { return breach(start, "the tag is empty") };
    let name = head.of(source);
    if !TAGS.contains(&name) {
        return breach(
            head.range.start,
            format!("the tag '{name}' is not allowed in a prompt; allowed: {}", TAGS.join(", ")),
        );
    }
    match name {
        "for" => {
            *depth += 1;
            if *depth > FOR_DEPTH {
                return breach(start, format!("'for' may be nested at most {FOR_DEPTH} deep"));
            }
            for token in code.tokens[1..].iter().take_while(|token| !token.is(source, "in")) {
                check_binding(source, token)?;
            }
        }
        "endfor" => *depth = depth.saturating_sub(1),
        "set" | "set_global" => {
            *sets += 1;
            if *sets > SET_TAGS {
                return breach(start, format!("a template may hold at most {SET_TAGS} 'set' tags"));
            }
            if !code.tokens.get(2).is_some_and(|token| token.is(source, "=")) {
                return breach(start, "'set' needs the form {% set name = value %}");
            }
            check_binding(source, &code.tokens[1])?;
        }
        _ => {}
    }
    check_expression(source, &code.tokens[1..], name.starts_with("set"))
}

/// A loop or a `set` may not hide `seed`, `audience` or `job`: what a template needs of them
/// is found by their names.
fn check_binding(source: &str, token: &Token) -> Result<(), Breach> {
    let name = token.of(source);
    if ROOTS.contains(&name) {
        return breach(token.range.start, format!("'{name}' cannot be given another value"));
    }
    Ok(())
}

fn check_expression(source: &str, tokens: &[Token], in_set: bool) -> Result<(), Breach> {
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|previous| &tokens[previous]);
        match token.kind {
            Kind::Ident => check_name(source, tokens, index)?,
            Kind::Mark => match token.of(source) {
                "~" => {
                    return breach(token.range.start, "'~' is not allowed; write {{ a }}{{ b }}");
                }
                "{" => return breach(token.range.start, "maps cannot be written in a template"),
                "..." | "</" | "@" => {
                    return breach(token.range.start, "spreads and components are not allowed");
                }
                "<" if before.is_none() => {
                    return breach(token.range.start, "components are not allowed");
                }
                "[" | "?[" if follows_value(source, before) => {
                    check_subscript(source, tokens, index)?
                }
                "[" if in_set => check_literal_array(source, tokens, index)?,
                _ => {}
            },
            Kind::Text | Kind::Number => {}
        }
    }
    Ok(())
}

/// True when a `[` after this token takes something out of a value instead of opening an array.
fn follows_value(source: &str, before: Option<&Token>) -> bool {
    const KEYWORDS: [&str; 7] = ["in", "if", "else", "and", "or", "not", "elif"];
    before.is_some_and(|token| match token.kind {
        Kind::Ident => !KEYWORDS.contains(&token.of(source)),
        Kind::Text => true,
        Kind::Number => false,
        Kind::Mark => [")", "]"].contains(&token.of(source)),
    })
}

fn check_name(source: &str, tokens: &[Token], index: usize) -> Result<(), Breach> {
    let token = &tokens[index];
    let name = token.of(source);
    let previous = |back: usize| index.checked_sub(back).map(|place| tokens[place].of(source));
    let at = token.range.start;
    if name.starts_with("__") {
        return breach(at, "names beginning with '__' are reserved");
    }
    if previous(1) == Some(".") || previous(1) == Some("?.") {
        return Ok(());
    }
    if name == "for" {
        return breach(at, "lists cannot be built with 'for' inside an expression");
    }
    if previous(1) == Some("|") {
        if !FILTERS.contains(&name) {
            return breach(at, format!("there is no filter '{name}'; {}", listing(&FILTERS)));
        }
    } else if previous(1) == Some("is") && name != "not"
        || previous(1) == Some("not") && previous(2) == Some("is")
    {
        if !TESTS.contains(&name) {
            return breach(at, format!("there is no test '{name}'; {}", listing(&TESTS)));
        }
    } else if tokens.get(index + 1).is_some_and(|next| next.is(source, "("))
        && !["in", "if", "else", "and", "or", "not", "elif"].contains(&name)
        && !FUNCTIONS.contains(&name)
    {
        return breach(at, format!("there is no function '{name}'; {}", listing(&FUNCTIONS)));
    }
    Ok(())
}

fn listing(names: &[&str]) -> String {
    format!("there are: {}", names.join(", "))
}

/// Only `["name"]`: indexes and slices of long texts cost their whole length each time.
fn check_subscript(source: &str, tokens: &[Token], index: usize) -> Result<(), Breach> {
    let key_is_text = tokens.get(index + 1).is_some_and(|token| token.kind == Kind::Text);
    let closes = tokens.get(index + 2).is_some_and(|token| token.is(source, "]"));
    if key_is_text && closes {
        Ok(())
    } else {
        breach(
            tokens[index].range.start,
            "only [\"name\"] may stand in brackets; use the filters first, last, nth, pick, truncate",
        )
    }
}

/// What `set` keeps must not hold other values, or a loop could build a tower of them.
fn check_literal_array(source: &str, tokens: &[Token], index: usize) -> Result<(), Breach> {
    for token in &tokens[index + 1..] {
        if token.is(source, "]") {
            return Ok(());
        }
        if !matches!(token.kind, Kind::Text | Kind::Number) && !token.is(source, ",") {
            break;
        }
    }
    breach(tokens[index].range.start, "an array in 'set' may hold only strings and numbers")
}
