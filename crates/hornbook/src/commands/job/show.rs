//! `hornbook job show`: one job with its counts, usage and errors.

use serde_json::Value;

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output::{self, text};

/// Shows one job.
pub(crate) async fn run(client: &Client, job: &str, json: bool) -> Outcome {
    let job = client.get(&format!("/v1/jobs/{}", segment(job))).await?;
    if json {
        return output::json(&job);
    }
    let lines = [
        ("id", "/id"),
        ("name", "/name"),
        ("state", "/state"),
        ("prompts", "/counts/total"),
        ("accepted", "/counts/accepted"),
        ("rejected", "/counts/rejected"),
        ("failed", "/counts/failed"),
        ("running", "/counts/running"),
        ("skipped", "/counts/skipped"),
        ("asked for", "/quota/wanted"),
        ("of those had", "/quota/met"),
        ("budget in tokens", "/budget/tokens"),
        ("budget in dollars", "/budget/usd"),
        ("failures allowed", "/budget/failures"),
        ("prompt tokens", "/usage/prompt_tokens"),
        ("completion tokens", "/usage/completion_tokens"),
        ("dollars", "/usage/usd"),
        ("why", "/error/message"),
        ("started", "/started_at"),
        ("finished", "/finished_at"),
    ];
    for (label, pointer) in lines {
        let value = text(&job, pointer);
        if !value.is_empty() {
            output::line(&format!("{label:18} {value}"))?;
        }
    }
    for used in job.pointer("/usage/endpoints").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!(
            "endpoint           {}: {} documents, {} + {} tokens, {} dollars",
            text(used, "/name"),
            text(used, "/documents"),
            text(used, "/prompt_tokens"),
            text(used, "/completion_tokens"),
            text(used, "/usd")
        ))?;
    }
    for error in job.get("errors").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!(
            "error              {} x {}: {}",
            text(error, "/count"),
            text(error, "/code"),
            text(error, "/message")
        ))?;
    }
    Ok(())
}
