//! `hornbook seeds push`: import a file as a seed set's next version.

use std::path::Path;

use reqwest::{Body, Method};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use crate::client::{Client, segment};
use crate::exit::{Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Streams `file` to the service and prints what it became.
pub(crate) async fn run(
    client: &Client,
    name: &str,
    file: &Path,
    license: &str,
    json: bool,
) -> Outcome {
    let content_type = content_type(file)?;
    let opened = tokio::fs::File::open(file)
        .await
        .map_err(|error| Failure::usage(format!("reading {}: {error}", file.display())))?;
    let path = format!("/v1/seed-sets/{}?license={}", segment(name), segment(license));
    let request = client
        .request(Method::PUT, &path)?
        .header("content-type", content_type)
        .body(Body::wrap_stream(ReaderStream::new(opened)));
    let set: Value = client.send(request).await?.json().await.context("reading the answer")?;
    if json {
        return output::json(&set);
    }
    output::line(&format!(
        "{}@{}  {} seeds",
        text(&set, "/slug"),
        text(&set, "/version"),
        text(&set, "/count")
    ))
}

fn content_type(file: &Path) -> Result<&'static str, Failure> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ndjson" | "jsonl") => Ok("application/x-ndjson"),
        Some("json") => Ok("application/json"),
        Some("csv") => Ok("text/csv"),
        Some("parquet") => Ok("application/vnd.apache.parquet"),
        _ => Err(Failure::usage(format!(
            "{}: name the file .ndjson, .jsonl, .json, .csv or .parquet",
            file.display()
        ))),
    }
}
