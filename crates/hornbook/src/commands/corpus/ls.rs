//! `hornbook corpus ls`: list mixed corpora, newest first.

use serde_json::Value;

use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{self, text};

/// Lists up to `limit` mixed corpora.
pub(crate) async fn run(client: &Client, limit: usize, json: bool) -> Outcome {
    let corpora = client.list("/v1/corpora", limit).await?;
    if json {
        return output::json(&Value::Array(corpora));
    }
    if corpora.is_empty() {
        return output::line("no mixed corpora yet; make one with 'hornbook corpus create FILE'");
    }
    let rows: Vec<Vec<String>> = corpora
        .iter()
        .map(|corpus| {
            let sources = corpus.get("sources").and_then(Value::as_array).map_or(0, Vec::len);
            vec![
                text(corpus, "/id"),
                text(corpus, "/state"),
                sources.to_string(),
                text(corpus, "/corpus/rows"),
                text(corpus, "/corpus/tokens"),
                text(corpus, "/name"),
            ]
        })
        .collect();
    output::table(&["ID", "STATE", "SOURCES", "ROWS", "TOKENS", "NAME"], &rows)
}
