//! `hornbook job ls`: list jobs, newest first.

use serde_json::Value;

use crate::client::Client;
use crate::exit::Outcome;
use crate::output::{self, text};

/// Lists up to `limit` jobs.
pub(crate) async fn run(client: &Client, limit: usize, json: bool) -> Outcome {
    let jobs = client.list("/v1/jobs", limit).await?;
    if json {
        return output::json(&Value::Array(jobs));
    }
    if jobs.is_empty() {
        return output::line("no jobs yet; submit one with 'hornbook job submit FILE'");
    }
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|job| {
            vec![
                text(job, "/id"),
                text(job, "/state"),
                text(job, "/counts/accepted"),
                text(job, "/counts/rejected"),
                text(job, "/counts/failed"),
                text(job, "/counts/total"),
                text(job, "/name"),
            ]
        })
        .collect();
    output::table(&["ID", "STATE", "ACCEPTED", "REJECTED", "FAILED", "TOTAL", "NAME"], &rows)
}
