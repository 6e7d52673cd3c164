//! `hornbook corpus show`: one mixed corpus with its sources.

use serde_json::Value;

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, text};

/// Shows one mixed corpus, named by its id or as `corpora/ID`.
pub(crate) async fn run(client: &Client, corpus: &str, json: bool) -> Outcome {
    let id = corpus.strip_prefix("corpora/").unwrap_or(corpus);
    let corpus = client.get(&format!("/v1/corpora/{}", segment(id))).await?;
    if json { output::json(&corpus) } else { print(&corpus) }
}

/// Prints a mixed corpus for people.
pub(super) fn print(corpus: &Value) -> Outcome {
    let lines = [
        ("id", "/id"),
        ("name", "/name"),
        ("state", "/state"),
        ("why", "/error/message"),
        ("rows", "/corpus/rows"),
        ("tokens", "/corpus/tokens"),
        ("partial", "/corpus/partial"),
        ("commit", "/corpus/commit"),
    ];
    for (label, pointer) in lines {
        let value = text(corpus, pointer);
        if !value.is_empty() {
            output::line(&format!("{label:18} {value}"))?;
        }
    }
    for source in corpus.get("sources").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!("source             {}", source_line(source)))?;
    }
    Ok(())
}

fn source_line(source: &Value) -> String {
    let mut line = format!("{}:", text(source, "/name"));
    for part in ["job", "import", "weight", "tokens", "max_epochs"] {
        let value = text(source, &format!("/{part}"));
        if !value.is_empty() {
            line.push_str(&format!(" {part} {value}"));
        }
    }
    line
}
