//! `hornbook audience`: whom texts are written for.

use serde_json::Value;

use crate::cli::Audience;
use crate::client::{Client, segment};
use crate::exit::{Context as _, Outcome};
use crate::output::{self, text};

/// Runs one of the audience commands.
pub(crate) async fn run(command: Audience, client: &Client, json: bool) -> Outcome {
    match command {
        Audience::Ls => ls(client, json).await,
        Audience::Show { audience } => show(client, &audience).await,
    }
}

async fn ls(client: &Client, json: bool) -> Outcome {
    let audiences = client.list("/v1/audiences", usize::MAX).await?;
    if json {
        return output::json(&Value::Array(audiences));
    }
    let rows: Vec<Vec<String>> = audiences
        .iter()
        .map(|audience| {
            vec![
                format!("{}@{}", text(audience, "/slug"), text(audience, "/version")),
                text(audience, "/rank"),
                text(audience, "/reader"),
            ]
        })
        .collect();
    output::table(&["AUDIENCE", "RUNG", "READER"], &rows)
}

async fn show(client: &Client, audience: &str) -> Outcome {
    let audience = client.get(&format!("/v1/audiences/{}", segment(audience))).await?;
    output::line(&serde_json::to_string_pretty(&audience).context("printing an audience")?)
}
