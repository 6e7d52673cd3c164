//! `hornbook job cancel|pause|resume|retry`: ask something of a job.

use serde_json::{Value, json};

use crate::client::{Client, segment};
use crate::exit::Outcome;
use crate::output;

/// Asks `action` of a job and prints the state it is in afterwards.
pub(crate) async fn run(
    client: &Client,
    job: &str,
    action: &str,
    body: Option<Value>,
    as_json: bool,
) -> Outcome {
    let answer = client.post(&format!("/v1/jobs/{}/{action}", segment(job)), body.as_ref()).await?;
    if as_json {
        return output::json(&answer);
    }
    output::line(&format!("{job}  {}", output::text(&answer, "/state")))
}

/// Asks for failed prompts to be run again.
pub(crate) async fn retry(
    client: &Client,
    job: &str,
    codes: Vec<String>,
    as_json: bool,
) -> Outcome {
    let body = if codes.is_empty() { json!({}) } else { json!({ "codes": codes }) };
    run(client, job, "retry", Some(body), as_json).await
}
