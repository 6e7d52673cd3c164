//! `hornbook import push`: import a file, or have the service fetch what it can reach itself.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::cli::ImportPush;
use crate::client::{Client, segment};
use crate::commands::upload::{self, Upload};
use crate::exit::{Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Time between two looks at an import that the service fetches.
const LOOK: Duration = Duration::from_millis(500);

/// Sends the file or the request, and waits until the import is there.
pub(crate) async fn run(client: &Client, push: ImportPush, as_json: bool) -> Outcome {
    let mut path =
        format!("/v1/imports/{}?license={}", segment(&push.name), segment(&push.license));
    for (name, value) in [("source", &push.source), ("column", &push.column)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    let request = client.request(Method::PUT, &path)?;
    let request = with_body(request, &push).await?;
    let mut import: Value =
        client.send(request).await?.json().await.context("reading the answer")?;
    let place = format!("/v1/imports/{}", segment(&text(&import, "/reference")));
    while !push.no_wait && import["state"] == "importing" {
        tokio::time::sleep(LOOK).await;
        import = client.get(&place).await?;
    }
    if import["state"] == "failed" {
        let why = format!("{}: {}", text(&import, "/reference"), text(&import, "/error"));
        return Err(Failure::error(why));
    }
    if as_json {
        return output::json(&import);
    }
    if import["redistribution"] != "allowed" && import["state"] == "ready" {
        output::line(&format!(
            "the licence '{}' may not allow passing the text on; cards of corpora will say so",
            text(&import, "/license")
        ))?;
    }
    output::line(&format!(
        "{}  {}  {} documents  {} tokens",
        text(&import, "/reference"),
        text(&import, "/state"),
        text(&import, "/rows"),
        text(&import, "/tokens")
    ))
}

async fn with_body(request: RequestBuilder, push: &ImportPush) -> Result<RequestBuilder, Failure> {
    if let Some(file) = &push.file {
        let Upload { content_type, body } = upload::open(file).await?;
        if content_type == "application/json" {
            return Err(Failure::usage("import JSON lines (.jsonl), not one JSON array"));
        }
        return Ok(request.header("content-type", content_type).body(body));
    }
    let fields = [
        ("path", &push.path),
        ("hub", &push.hub),
        ("config", &push.subset),
        ("split", &push.split),
        ("revision", &push.revision),
    ];
    let body: serde_json::Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
        .collect();
    Ok(request.json(&body))
}
