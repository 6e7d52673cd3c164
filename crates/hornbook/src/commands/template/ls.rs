//! `hornbook template ls`: list templates.

use serde_json::Value;

use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{self, text};

/// Lists all templates.
pub(crate) async fn run(client: &Client, json: bool) -> Outcome {
    let templates = client.list("/v1/templates", usize::MAX).await?;
    if json {
        return output::json(&Value::Array(templates));
    }
    let rows: Vec<Vec<String>> = templates
        .iter()
        .map(|template| {
            vec![
                format!("{}@{}", text(template, "/slug"), text(template, "/version")),
                text(template, "/format"),
                text(template, "/output"),
                text(template, "/description"),
            ]
        })
        .collect();
    output::table(&["TEMPLATE", "FORMAT", "OUTPUT", "DESCRIPTION"], &rows)
}
