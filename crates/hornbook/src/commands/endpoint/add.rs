//! `hornbook endpoint add`: add or change an OpenAI-compatible endpoint.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::Endpoint;
use crate::client::{Client, segment};
use crate::exit::{Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Stores the endpoint; its key is read from a file and never shown.
pub(crate) async fn run(client: &Client, command: Endpoint, as_json: bool) -> Outcome {
    let Endpoint::Add {
        name,
        base_url,
        model,
        api_key_file,
        in_flight,
        requests_per_minute,
        tokens_per_minute,
    } = command
    else {
        return Err(Failure::usage("not an endpoint to add"));
    };
    let mut limits = json!({});
    for (field, limit) in [
        ("in_flight", in_flight),
        ("requests_per_minute", requests_per_minute),
        ("tokens_per_minute", tokens_per_minute),
    ] {
        if let Some(limit) = limit {
            limits[field] = limit.into();
        }
    }
    let mut spec =
        json!({ "kind": "openai", "base_url": base_url, "model": model, "limits": limits });
    if let Some(file) = api_key_file {
        let key = std::fs::read_to_string(&file)
            .map_err(|error| Failure::usage(format!("reading {}: {error}", file.display())))?;
        spec["api_key"] = key.trim().into();
    }
    let request =
        client.request(Method::PUT, &format!("/v1/endpoints/{}", segment(&name)))?.json(&spec);
    let stored: Value = client.send(request).await?.json().await.context("reading the answer")?;
    if as_json {
        return output::json(&stored);
    }
    output::line(&format!("{}  {}", text(&stored, "/name"), text(&stored, "/state")))
}
