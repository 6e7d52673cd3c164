//! `hornbook template render`: a prompt as an endpoint would get it.

use serde_json::json;

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, text};

/// Renders a template for an audience from one stored seed and prints the prompt.
pub(crate) async fn run(
    client: &Client,
    template: &str,
    audience: &str,
    seeds: &str,
    seq: u64,
    as_json: bool,
) -> Outcome {
    let body = json!({ "audience": audience, "seed_set": seeds, "seq": seq });
    let path = format!("/v1/templates/{}/render", segment(template));
    let rendered = client.post(&path, Some(&body)).await?;
    if as_json {
        return output::json(&rendered);
    }
    output::line(text(&rendered, "/prompt").trim_end())
}
