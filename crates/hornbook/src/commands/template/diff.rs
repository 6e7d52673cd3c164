//! `hornbook template diff`: what changed between two versions.

use serde_json::Value;

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, text};

/// Prints every line of the newer version, with what was removed (`-`) and added (`+`) in its place.
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
    for field in diff.get("fields").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!(
            "{}: {} -> {}",
            text(field, "/field"),
            text(field, "/from"),
            text(field, "/to")
        ))?;
    }
    for line in diff.get("body").and_then(Value::as_array).into_iter().flatten() {
        let mark = match text(line, "/change").as_str() {
            "removed" => '-',
            "added" => '+',
            _ => ' ',
        };
        output::line(&format!("{mark}{}", text(line, "/line")))?;
    }
    Ok(())
}
