//! `hornbook benchmark push`: store items as a benchmark's next version.

use std::path::Path;

use reqwest::{Body, Method};
use serde_json::Value;

use crate::client::{Client, segment};
use crate::commands::upload::{self, Upload};
use crate::exit::{Context as _, Outcome};
use crate::output::{self, text};

/// Streams `path` to the service and prints what it became.
pub(crate) async fn file(client: &Client, name: &str, path: &Path, json: bool) -> Outcome {
    let Upload { content_type, body } = upload::open(path).await?;
    put(client, name, content_type, body, json).await
}

/// Sends items as JSON lines and prints what they became.
pub(crate) async fn bytes(client: &Client, name: &str, items: Vec<u8>, json: bool) -> Outcome {
    put(client, name, "application/x-ndjson", Body::from(items), json).await
}

async fn put(
    client: &Client,
    name: &str,
    content_type: &'static str,
    body: Body,
    json: bool,
) -> Outcome {
    let request = client
        .request(Method::PUT, &format!("/v1/benchmarks/{}", segment(name)))?
        .header("content-type", content_type)
        .body(body);
    let stored: Value = client.send(request).await?.json().await.context("reading the answer")?;
    if json {
        return output::json(&stored);
    }
    output::line(&format!("{}  {} items", text(&stored, "/reference"), text(&stored, "/items")))
}
