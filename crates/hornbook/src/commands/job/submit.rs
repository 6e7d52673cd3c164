//! `hornbook job submit`: send a job from a file.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::watch;
use crate::client::Client;
use crate::exit::{Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Largest job file that is read.
const JOB_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Submits the job in `file` (`-` is standard input) and prints its id.
pub(crate) async fn run(
    client: &Client,
    file: &Path,
    weight: Option<f64>,
    and_watch: bool,
    json: bool,
) -> Outcome {
    let mut spec = read_spec(file)?;
    if let (Some(weight), Some(fields)) = (weight, spec.as_object_mut()) {
        fields.insert("weight".to_owned(), Value::from(weight));
    }
    let job = client.post("/v1/jobs", Some(&spec)).await?;
    let id = text(&job, "/id");
    // For machines there is one value: the job as it is when the command ends.
    match (json, and_watch) {
        (false, _) => output::line(&id)?,
        (true, false) => output::json(&job)?,
        (true, true) => {}
    }
    if and_watch { watch::run(client, &id, json).await } else { Ok(()) }
}

/// Says what the job in `file` would cost; nothing is stored.
pub(crate) async fn dry_run(client: &Client, file: &Path, json: bool) -> Outcome {
    let spec = read_spec(file)?;
    let forecast = client.post("/v1/jobs?dry_run=true", Some(&spec)).await?;
    if json {
        return output::json(&forecast);
    }
    for (label, pointer) in [
        ("prompts", "/prompts"),
        ("prompt tokens", "/prompt_tokens"),
        ("completion tokens", "/completion_tokens"),
        ("dollars", "/usd"),
        ("seconds", "/duration_seconds"),
        ("prompts at worst", "/worst_sampled/prompts"),
        ("dollars at worst", "/worst_sampled/usd"),
    ] {
        output::line(&format!("{label:18} {}", text(&forecast, pointer)))?;
    }
    for endpoint in forecast.get("endpoints").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!(
            "endpoint           {}: {} prompts, {} dollars",
            text(endpoint, "/name"),
            text(endpoint, "/prompts"),
            text(endpoint, "/usd")
        ))?;
    }
    for assumption in forecast.get("assumptions").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!("assuming           {}", assumption.as_str().unwrap_or_default()))?;
    }
    Ok(())
}

fn read_spec(file: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    let shown = file.display();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(JOB_FILE_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(JOB_FILE_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::usage(format!("reading {shown}: {error}")))?;
    serde_json::from_str(&text).context(&format!("{shown} is not a job"))
}
