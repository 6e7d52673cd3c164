//! `hornbook seeds push`: import a file as a seed set's next version.

use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::client::{Client, segment};
use crate::commands::upload::{self, Upload};
use crate::exit::{Context as _, Outcome};
use crate::output::{self, text};

/// Streams `file` to the service and prints what it became.
pub(crate) async fn run(
    client: &Client,
    name: &str,
    file: &Path,
    license: &str,
    json: bool,
) -> Outcome {
    let Upload { content_type, body } = upload::open(file).await?;
    let path = format!("/v1/seed-sets/{}?license={}", segment(name), segment(license));
    let request =
        client.request(Method::PUT, &path)?.header("content-type", content_type).body(body);
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
