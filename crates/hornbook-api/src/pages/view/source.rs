//! A template's source in colour: which stretches are text, values, tags, comments.

use serde::Serialize;

/// A stretch of a template's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Piece {
    kind: &'static str,
    text: String,
}

/// Cuts `source` into its stretches; nothing is added or lost.
pub(crate) fn pieces(source: &str) -> Vec<Piece> {
    const MARKS: [(&str, &str, &str); 3] =
        [("{{", "}}", "expr"), ("{%", "%}", "tag-piece"), ("{#", "#}", "comment")];
    let mut found = Vec::new();
    let mut rest = source;
    while !rest.is_empty() {
        let next = MARKS
            .iter()
            .filter_map(|(open, close, kind)| rest.find(open).map(|at| (at, *close, *kind)))
            .min_by_key(|(at, _, _)| *at);
        let Some((at, close, kind)) = next else {
            break;
        };
        let end = rest[at..].find(close).map_or(rest.len(), |length| at + length + close.len());
        if at > 0 {
            found.push(Piece { kind: "text", text: rest[..at].to_owned() });
        }
        found.push(Piece { kind, text: rest[at..end].to_owned() });
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        found.push(Piece { kind: "text", text: rest.to_owned() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        for source in ["", "a", "{{ x }}", "a{% if b %}c{# d #}{{ e", "}} {{}} {%ü%}"] {
            let joined: String = pieces(source).into_iter().map(|piece| piece.text).collect();
            assert_eq!(joined, source);
        }
        let kinds: Vec<_> = pieces("a{% if b %}c").into_iter().map(|p| p.kind).collect();
        assert_eq!(kinds, ["text", "tag-piece", "text"]);
    }
}
