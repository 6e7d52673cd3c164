//! `hornbook import`: text that was written elsewhere.

mod push;

use reqwest::Method;
use serde_json::Value;

use crate::cli::Import;
use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, text};

/// Runs one of the import commands.
pub(crate) async fn run(command: Import, client: &Client, json: bool) -> Outcome {
    match command {
        Import::Ls => ls(client, json).await,
        Import::Push(push) => push::run(client, *push, json).await,
        Import::Rm { name } => {
            let path = format!("/v1/imports/{}", segment(&name));
            client.send(client.request(Method::DELETE, &path)?).await?;
            Ok(())
        }
    }
}

async fn ls(client: &Client, json: bool) -> Outcome {
    let imports = client.list("/v1/imports", usize::MAX).await?;
    if json {
        return output::json(&Value::Array(imports));
    }
    let rows: Vec<Vec<String>> = imports
        .iter()
        .map(|it| {
            ["/reference", "/state", "/rows", "/tokens", "/license", "/redistribution"]
                .map(|field| text(it, field))
                .to_vec()
        })
        .collect();
    output::table(&["IMPORT", "STATE", "ROWS", "TOKENS", "LICENSE", "REDISTRIBUTION"], &rows)
}
