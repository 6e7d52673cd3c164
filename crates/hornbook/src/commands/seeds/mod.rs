//! `hornbook seeds`: input records.

mod push;

use serde_json::Value;

use crate::cli::Seeds;
use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{self, text};

/// Runs one of the seed set commands.
pub(crate) async fn run(command: Seeds, client: &Client, json: bool) -> Outcome {
    match command {
        Seeds::Ls => ls(client, json).await,
        Seeds::Push { name, file, license } => {
            push::run(client, &name, &file, &license, json).await
        }
    }
}

async fn ls(client: &Client, json: bool) -> Outcome {
    let sets = client.list("/v1/seed-sets", usize::MAX).await?;
    if json {
        return output::json(&Value::Array(sets));
    }
    let rows: Vec<Vec<String>> = sets
        .iter()
        .map(|set| {
            vec![
                format!("{}@{}", text(set, "/slug"), text(set, "/version")),
                text(set, "/count"),
                text(set, "/license"),
            ]
        })
        .collect();
    output::table(&["SEED SET", "SEEDS", "LICENSE"], &rows)
}
