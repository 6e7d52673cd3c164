//! `hornbook template push`: store a file as the template's next version.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, segment};
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Stores `file` as the next version of `template`, or as version 1 of a new one.
pub(crate) async fn run(
    client: &Client,
    template: &str,
    file: &Path,
    format: Option<String>,
    as_json: bool,
) -> Outcome {
    let body = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("reading {}: {error}", file.display())))?;
    let path = format!("/v1/templates/{}", segment(template));
    let (latest, etag) = latest(client, &path).await?;
    let format = format.or_else(|| latest.get("format").and_then(Value::as_str).map(str::to_owned));
    let Some(format) = format else {
        return Err(Failure::usage("a new template needs --format, such as story"));
    };
    let mut spec = json!({ "format": format, "body": body });
    for kept in ["output", "description"] {
        if let Some(value) = latest.get(kept).filter(|value| !value.is_null()) {
            spec[kept] = value.clone();
        }
    }
    let mut request = client.request(Method::PUT, &path)?.json(&spec);
    if let Some(etag) = etag {
        request = request.header("if-match", etag);
    }
    let stored: Value = client.send(request).await?.json().await.context("reading the answer")?;
    if as_json {
        return output::json(&stored);
    }
    for warning in stored.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!(
            "warning: {}",
            warning.get("message").and_then(Value::as_str).unwrap_or_default()
        ))?;
    }
    output::line(&format!("{}@{}", text(&stored, "/slug"), text(&stored, "/version")))
}

/// The latest version with its ETag, or nothing when the template is new.
async fn latest(client: &Client, path: &str) -> Result<(Value, Option<String>), Failure> {
    match client.send(client.request(Method::GET, path)?).await {
        Ok(response) => {
            let etag = response
                .headers()
                .get("etag")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            Ok((response.json().await.context("reading the answer")?, etag))
        }
        Err(failure) if failure.code == Code::NotFound => Ok((Value::Null, None)),
        Err(failure) => Err(failure),
    }
}
