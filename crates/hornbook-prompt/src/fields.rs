//! Which seed fields a template reads, and which of them it can do without.

use std::collections::BTreeSet;

use crate::scan::{Kind, Piece, Token};

/// The seed fields that a template names, as `seed.field` or `seed["field"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedFields {
    /// Read without a guard somewhere: a seed without one gives no prompt.
    pub required: BTreeSet<String>,
    /// Read only under `is defined`, `if seed.field`, or with a `default`.
    pub optional: BTreeSet<String>,
}

/// One reading of a field.
struct Reading {
    field: String,
    /// Index of the first token after it.
    after: usize,
    /// Index of its first token.
    at: usize,
}

/// Fields known to be there in the branch being read: one frame for each open `if`.
#[derive(Default)]
struct Frame {
    present: BTreeSet<String>,
    /// What holds in the branches after this one: fields tested as absent.
    present_in_else: BTreeSet<String>,
}

/// Finds every reading of a seed field.
pub(crate) fn seed_fields(source: &str, pieces: &[Piece]) -> SeedFields {
    let mut named = BTreeSet::new();
    let mut required = BTreeSet::new();
    let mut frames: Vec<Frame> = Vec::new();
    for piece in pieces {
        let (tokens, tag) = match piece {
            Piece::Text(_) => continue,
            Piece::Output(code) => (&code.tokens[..], None),
            Piece::Tag(code) => {
                (&code.tokens[..], code.tokens.first().map(|token| token.of(source)))
            }
        };
        let condition = matches!(tag, Some("if" | "elif"));
        if matches!(tag, Some("elif" | "else"))
            && let Some(frame) = frames.last_mut()
        {
            frame.present = std::mem::take(&mut frame.present_in_else);
        }
        let readings = readings(source, tokens);
        let guards = guards(source, tokens, &readings, condition);
        for reading in &readings {
            named.insert(reading.field.clone());
            let known = frames.iter().any(|frame| frame.present.contains(&reading.field))
                || guards.tested.contains(&reading.field)
                || has_default(source, tokens, reading)
                || condition && stands_alone(source, tokens, reading);
            if !known {
                required.insert(reading.field.clone());
            }
        }
        match tag {
            Some("if") => {
                frames.push(Frame { present: guards.present, present_in_else: guards.absent });
            }
            Some("elif") => {
                if let Some(frame) = frames.last_mut() {
                    frame.present_in_else = frame.present.union(&guards.absent).cloned().collect();
                    frame.present.extend(guards.present);
                }
            }
            Some("endif") => {
                frames.pop();
            }
            // A loop's own `else` belongs to no `if`; a frame of its own keeps them apart.
            Some("for") => frames.push(Frame::default()),
            Some("endfor") => {
                frames.pop();
            }
            _ => {}
        }
    }
    let optional = named.difference(&required).cloned().collect();
    SeedFields { required, optional }
}

fn readings(source: &str, tokens: &[Token]) -> Vec<Reading> {
    let word = |index: usize| tokens.get(index).map(|token| token.of(source));
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let member = at > 0 && matches!(word(at - 1), Some("." | "?."));
        if !token.is(source, "seed") || member {
            continue;
        }
        let Some(next) = tokens.get(at + 2) else { continue };
        match word(at + 1) {
            Some("." | "?.") => {
                found.push(Reading { field: next.of(source).to_owned(), after: at + 3, at });
            }
            Some("[" | "?[") if next.kind == Kind::Text => {
                let text = next.of(source);
                let field = text.get(1..text.len() - 1).unwrap_or_default().to_owned();
                found.push(Reading { field, after: at + 4, at });
            }
            _ => {}
        }
    }
    found
}

/// What an expression says about its fields.
#[derive(Default)]
struct Guards {
    /// Tested by name anywhere in the expression; readings beside the test are guarded by it.
    tested: BTreeSet<String>,
    /// There when the condition holds.
    present: BTreeSet<String>,
    /// There when the condition does not hold.
    absent: BTreeSet<String>,
}

fn guards(source: &str, tokens: &[Token], readings: &[Reading], condition: bool) -> Guards {
    let word = |index: usize| tokens.get(index).map(|token| token.of(source));
    let mut guards = Guards::default();
    // With `or` nothing is known of either side alone.
    let either = tokens.iter().any(|token| token.is(source, "or"));
    let both = tokens.iter().any(|token| token.is(source, "and"));
    // `a if seed.x else b` guards its own branches.
    let ternary = tokens.iter().skip(1).position(|token| token.is(source, "if"));
    for reading in readings {
        let negated = reading.at > 0 && word(reading.at - 1) == Some("not");
        let tests = match (word(reading.after), word(reading.after + 1), word(reading.after + 2)) {
            (Some("is"), Some("defined"), _) | (Some("is"), Some("not"), Some("undefined")) => {
                Some(!negated)
            }
            (Some("is"), Some("undefined"), _) | (Some("is"), Some("not"), Some("defined")) => {
                Some(negated)
            }
            _ if condition && stands_alone(source, tokens, reading) => Some(!negated),
            _ => None,
        };
        let decides_ternary = ternary.is_some_and(|place| reading.at > place)
            && matches!(word(reading.at.wrapping_sub(1)), Some("if"));
        if tests.is_some() || decides_ternary {
            guards.tested.insert(reading.field.clone());
        }
        match tests {
            Some(true) if !either => {
                guards.present.insert(reading.field.clone());
            }
            Some(false) if !either && !both => {
                guards.absent.insert(reading.field.clone());
            }
            _ => {}
        }
    }
    guards
}

/// `seed.x | default(..)`
fn has_default(source: &str, tokens: &[Token], reading: &Reading) -> bool {
    let is = |index: usize, text| tokens.get(index).is_some_and(|token| token.is(source, text));
    is(reading.after, "|") && is(reading.after + 1, "default")
}

/// A whole operand of a condition: an undefined field there is just false.
fn stands_alone(source: &str, tokens: &[Token], reading: &Reading) -> bool {
    let before = reading.at.checked_sub(1).map(|index| tokens[index].of(source));
    let after = tokens.get(reading.after).map(|token| token.of(source));
    matches!(before, Some("if" | "elif" | "and" | "or" | "not" | "("))
        && matches!(after, None | Some("and" | "or" | ")"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn fields(source: &str) -> (Vec<String>, Vec<String>) {
        let found = seed_fields(source, &scan(source).unwrap());
        (found.required.into_iter().collect(), found.optional.into_iter().collect())
    }

    #[test]
    fn tells_required_from_optional() {
        let cases: [(&str, &[&str], &[&str]); 16] = [
            ("{{ seed.text }}", &["text"], &[]),
            ("{{ seed[\"text\"] | upper }} {{ audience.seed.no }}", &["text"], &[]),
            ("{{ seed.a | default(value=seed.b) }}", &["b"], &["a"]),
            ("{% if seed.a %}{{ seed.a }}{% endif %}", &[], &["a"]),
            ("{% if seed.a %}x{% endif %}{{ seed.a }}", &["a"], &[]),
            (
                "{% if seed.a is defined and seed.b %}{{ seed.a }}{{ seed.b }}{% endif %}",
                &[],
                &["a", "b"],
            ),
            ("{% if seed.a %}{{ seed.a }}{% else %}{{ seed.a }}{% endif %}", &["a"], &[]),
            (
                "{% if seed.a is undefined %}{{ seed.b }}{% else %}{{ seed.a }}{% endif %}",
                &["b"],
                &["a"],
            ),
            ("{% if not seed.a %}x{% else %}{{ seed.a }}{% endif %}", &[], &["a"]),
            ("{% if seed.a or seed.b %}{{ seed.a }}{% endif %}", &["a"], &["b"]),
            ("{{ seed.a if seed.a else 'none' }}", &[], &["a"]),
            ("{% if seed.n > 3 %}x{% endif %}", &["n"], &[]),
            ("{% for x in seed.list %}{{ x.seed }}{% endfor %}", &["list"], &[]),
            (
                "{% if seed.a %}{% for x in seed.l %}{{ seed.a }}{% else %}{{ seed.a }}{% endfor %}{% endif %}",
                &["l"],
                &["a"],
            ),
            ("plain 'seed.x' {# {{ seed.y }} #}{{ 'seed.z' }}", &[], &[]),
            (
                "{% if seed.a is not defined %}x{% elif seed.b %}{{ seed.a }}{{ seed.b }}{% endif %}",
                &[],
                &["a", "b"],
            ),
        ];
        for (source, required, optional) in cases {
            let (found_required, found_optional) = fields(source);
            assert_eq!(found_required, required, "{source}");
            assert_eq!(found_optional, optional, "{source}");
        }
    }
}
