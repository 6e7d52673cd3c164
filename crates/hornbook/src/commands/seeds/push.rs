//! `hornbook seeds push`: import a file as a seed set's next version.

use std::path::Path;

use hornbook_records::RecordFormat;
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
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    RecordFormat::of_file_name(name).map(RecordFormat::media_type).ok_or_else(|| {
        Failure::usage(format!(
            "{}: name the file .ndjson, .jsonl, .json or .csv (each may end in .zst), or .parquet",
            file.display()
        ))
    })
}
