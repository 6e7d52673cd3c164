//! Advice on audiences and templates: what parses and still makes poor text.

use std::collections::BTreeSet;

use hornbook_types::{AudienceSpec, TemplateSpec};

use crate::scan::{Kind, Piece, scan};

/// Something that a writer may want to change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Line, from 1; for audiences, 1.
    pub line: usize,
    /// What and why.
    pub message: String,
}

/// Two audiences whose word 3-grams overlap more than this say the same thing (Jaccard, 0 to 1).
pub const AUDIENCE_SIMILARITY_MAX: f64 = 0.2;

/// Openings that models fall into by themselves. Asking for them, and even forbidding them by
/// name, makes them more frequent.
const STOCK_OPENINGS: [&str; 12] = [
    "once upon a time",
    "in today's world",
    "in today's fast-paced",
    "in a world where",
    "in the bustling",
    "in the heart of",
    "have you ever wondered",
    "imagine a world",
    "since the dawn of",
    "welcome to this",
    "let's dive in",
    "in this chapter, we will",
];

/// Misspellings that were seen in prompts used in earnest, and how they are spelled.
const MISSPELLINGS: [(&str, &str); 24] = [
    ("accross", "across"),
    ("acheive", "achieve"),
    ("appropiate", "appropriate"),
    ("begining", "beginning"),
    ("childrens", "children or children's"),
    ("compatability", "compatibility"),
    ("concret", "concrete"),
    ("definately", "definitely"),
    ("dialoge", "dialogue"),
    ("enviroment", "environment"),
    ("explaination", "explanation"),
    ("grammer", "grammar"),
    ("informations", "information"),
    ("knowlege", "knowledge"),
    ("langauge", "language"),
    ("neccessary", "necessary"),
    ("occured", "occurred"),
    ("recieve", "receive"),
    ("seperate", "separate"),
    ("spanning accross", "spanning across"),
    ("succesful", "successful"),
    ("teh", "the"),
    ("undergradute", "undergraduate"),
    ("writting", "writing"),
];

/// What could be better about a template.
pub fn lint_template(spec: &TemplateSpec) -> Vec<Finding> {
    let mut findings = lint_text(&spec.body);
    let Ok(pieces) = scan(&spec.body) else { return findings };
    let mut members = BTreeSet::new();
    let mut reads_seed = false;
    let mut text_bytes = 0;
    for piece in &pieces {
        match piece {
            Piece::Text(range) => text_bytes += spec.body[range.clone()].trim().len(),
            Piece::Output(code) | Piece::Tag(code) => {
                for (index, token) in code.tokens.iter().enumerate() {
                    let member = code.tokens.get(index + 2).map(|token| token.of(&spec.body));
                    if token.kind == Kind::Ident && token.is(&spec.body, "audience") {
                        members.extend(member);
                    }
                    reads_seed |= token.is(&spec.body, "seed");
                }
            }
        }
    }
    let at_top = |message: &str| Finding { line: 1, message: message.to_owned() };
    let names: BTreeSet<&str> = ["title", "slug", "reader", "rank"].into();
    if !members.is_empty() && members.is_subset(&names) {
        findings.push(at_top(
            "only names the audience; without audience.instructions and the rest, texts for different readers come out alike",
        ));
    }
    if members.is_empty() && text_bytes > 0 {
        findings
            .push(at_top("does not mention the audience, so every reader gets the same prompt"));
    }
    if !reads_seed {
        findings.push(at_top("reads nothing of the seed, so every seed gives the same prompt"));
    }
    findings
}

/// What could be better about an audience.
pub fn lint_audience(spec: &AudienceSpec) -> Vec<Finding> {
    lint_text(&audience_text(spec))
        .into_iter()
        .map(|finding| Finding { line: 1, ..finding })
        .collect()
}

/// Whether two audiences say too much the same; their names do not count.
pub fn lint_audience_pair(one: &AudienceSpec, other: &AudienceSpec) -> Option<Finding> {
    let alike = similarity(&audience_text(one), &audience_text(other));
    (alike > AUDIENCE_SIMILARITY_MAX).then(|| Finding {
        line: 1,
        message: format!(
            "'{}' and '{}' share {:.0} % of their instructions' word triples; readers that differ by name alone make duplicates",
            one.title,
            other.title,
            alike * 100.0
        ),
    })
}

/// Everything an audience instructs, without its title and reader.
fn audience_text(spec: &AudienceSpec) -> String {
    let mut parts: Vec<&str> = spec.instructions.iter().map(String::as_str).collect();
    parts.push(&spec.vocabulary);
    parts.extend(spec.leave_out.iter().map(String::as_str));
    parts.push(&spec.formulas);
    parts.push(&spec.ending);
    parts.join("\n")
}

fn lint_text(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let lower = line.to_lowercase().replace('’', "'");
        let mut add = |message: String| findings.push(Finding { line: index + 1, message });
        for opening in STOCK_OPENINGS {
            if lower.contains(opening) {
                add(format!("names the stock opening '{opening}', which makes it more frequent"));
            }
        }
        for (wrong, right) in MISSPELLINGS {
            let whole = |at: usize| {
                let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                edge(lower[..at].chars().next_back())
                    && edge(lower[at + wrong.len()..].chars().next())
            };
            if lower.match_indices(wrong).any(|(at, _)| whole(at)) {
                add(format!("'{wrong}' is spelled '{right}'"));
            }
        }
        if line.trim_start().contains("  ") {
            add("has two spaces in a row".to_owned());
        }
    }
    findings
}

/// How much two texts share: Jaccard similarity of their sets of word triples, 0 to 1.
pub fn similarity(one: &str, other: &str) -> f64 {
    let (one, other) = (word_triples(one), word_triples(other));
    let shared = one.intersection(&other).count();
    let all = one.len() + other.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

fn word_triples(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(3).map(|triple| triple.join(" ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(body: &str) -> Vec<String> {
        let spec = TemplateSpec {
            format: "story".parse().unwrap(),
            output: Default::default(),
            body: body.to_owned(),
            description: None,
        };
        lint_template(&spec)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.message))
            .collect()
    }

    #[test]
    fn finds_what_writers_overlook() {
        let good = "Write about {{ seed.topic }}.\n{{ audience.vocabulary }}";
        assert_eq!(template(good), Vec::<String>::new());
        let found = template(
            "Hi  {{ audience.title }}\nDo not begin with Once upon a time. Recieve {{ seed.text }}",
        );
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("1: has two spaces"));
        assert!(found[1].starts_with("2: names the stock opening"));
        assert!(found[2].starts_with("2: 'recieve'"));
        assert!(found[3].contains("only names the audience"));
        assert!(template("{{ seed.text }}").is_empty(), "a bare body is fine");
        assert_eq!(template("Write something.").len(), 2);
    }

    #[test]
    fn similarity_is_a_share() {
        assert_eq!(similarity("a b c d", "a b c d"), 1.0);
        assert_eq!(similarity("a b c d", "e f g h"), 0.0);
        assert_eq!(similarity("", ""), 0.0);
    }
}
