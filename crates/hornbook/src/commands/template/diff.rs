//! `hornbook template diff`: what changed between two versions.

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, text};

/// Prints a unified diff of two versions of a template.
pub(crate) async fn run(
    client: &Client,
    template: &str,
    from: u32,
    to: u32,
    json: bool,
) -> Outcome {
    let path = format!("/v1/templates/{}/diff?from={from}&to={to}", segment(template));
    let diff = client.get(&path).await?;
    if json {
        return output::json(&diff);
    }
    output::line(text(&diff, "/diff").trim_end())
}
