//! `hornbook endpoint`: what completes prompts.

mod add;

use serde_json::Value;

use crate::cli::Endpoint;
use crate::client::{Client, segment};
use crate::exit::{Failure, Outcome};
use crate::output::{self, text};

/// Runs one of the endpoint commands.
pub(crate) async fn run(command: Endpoint, client: &Client, json: bool) -> Outcome {
    match command {
        Endpoint::Ls => ls(client, json).await,
        Endpoint::Test { name } => test(client, &name, json).await,
        add @ Endpoint::Add { .. } => add::run(client, add, json).await,
    }
}

async fn ls(client: &Client, json: bool) -> Outcome {
    let endpoints = client.list("/v1/endpoints", usize::MAX).await?;
    if json {
        return output::json(&Value::Array(endpoints));
    }
    let rows: Vec<Vec<String>> = endpoints
        .iter()
        .map(|endpoint| {
            vec![
                text(endpoint, "/name"),
                text(endpoint, "/kind"),
                text(endpoint, "/state"),
                text(endpoint, "/model"),
                text(endpoint, "/base_url"),
                text(endpoint, "/usage/documents"),
                text(endpoint, "/usage/usd"),
                text(endpoint, "/message"),
            ]
        })
        .collect();
    let headings =
        ["ENDPOINT", "KIND", "STATE", "MODEL", "BASE URL", "DOCUMENTS", "DOLLARS", "MESSAGE"];
    output::table(&headings, &rows)
}

async fn test(client: &Client, name: &str, json: bool) -> Outcome {
    let result = client.post(&format!("/v1/endpoints/{}/test", segment(name)), None).await?;
    if json {
        output::json(&result)?;
    } else if result.get("answer").is_some() {
        output::line(&format!(
            "{name} answered in {} ms as {}: {}",
            text(&result, "/latency_ms"),
            text(&result, "/answer/model"),
            text(&result, "/answer/text")
        ))?;
    }
    match result.get("error") {
        None => Ok(()),
        Some(error) => Err(Failure::error(format!(
            "{name} did not answer: {} ({})",
            text(error, "/message"),
            text(error, "/code")
        ))),
    }
}
