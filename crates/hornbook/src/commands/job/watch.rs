//! `hornbook job watch`: follow a job until it ends.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use serde_json::Value;

use crate::client::{Client, segment};
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output::{self, text};

/// How long the service may hold an answer back while nothing changes.
const WAIT_SECONDS: u64 = 20;
/// Pause between looks, so that a fast job does not make a busy loop.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Looks that may fail in a row, for instance while the service is restarted.
const FAILURES_IN_A_ROW: u32 = 30;

/// Follows `job`; the outcome is the job's own.
pub(crate) async fn run(client: &Client, job: &str, json: bool) -> Outcome {
    let ended = follow(client, job, json).await?;
    if json {
        output::json(&ended)?;
    }
    outcome(&ended)
}

/// Follows `job` with a progress bar (plain lines without a terminal) and returns it as it ended.
pub(crate) async fn follow(client: &Client, job: &str, quiet: bool) -> Result<Value, Failure> {
    let bar = bar(quiet);
    let mut said = String::new();
    let mut failures = 0;
    loop {
        let seen = match look(client, job).await {
            Ok(seen) => seen,
            Err(failure) if failure.code == Code::Error && failures < FAILURES_IN_A_ROW => {
                failures += 1;
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        failures = 0;
        show(&bar, &seen, &mut said, quiet)?;
        if has_ended(&seen) {
            bar.finish();
            return Ok(seen);
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// What a job that ended so means for the exit code.
pub(crate) fn outcome(job: &Value) -> Outcome {
    match text(job, "/state").as_str() {
        "succeeded" => Ok(()),
        "succeeded_with_errors" | "cancelled" => {
            Err(Failure::new(Code::Partial, format!("the job ended as {}", text(job, "/state"))))
        }
        state => {
            let mut message = format!("the job ended as {state}");
            for error in job.get("errors").and_then(Value::as_array).into_iter().flatten() {
                message.push_str(&format!(
                    "\n  {} x {}: {}",
                    text(error, "/count"),
                    text(error, "/code"),
                    text(error, "/message")
                ));
            }
            Err(Failure::new(Code::JobFailed, message))
        }
    }
}

async fn look(client: &Client, job: &str) -> Result<Value, Failure> {
    let request = client
        .request(Method::GET, &format!("/v1/jobs/{}", segment(job)))?
        .header("prefer", format!("wait={WAIT_SECONDS}"));
    client.send(request).await?.json().await.context("reading the answer")
}

fn has_ended(job: &Value) -> bool {
    matches!(
        text(job, "/state").as_str(),
        "succeeded" | "succeeded_with_errors" | "cancelled" | "failed"
    )
}

fn bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(
        "{msg:12} [{bar:32}] {pos}/{len} documents  {prefix}  {elapsed}",
    );
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn show(bar: &ProgressBar, job: &Value, said: &mut String, quiet: bool) -> Outcome {
    let count = |key: &str| job.pointer(key).and_then(Value::as_u64).unwrap_or(0);
    let done = count("/counts/accepted") + count("/counts/rejected") + count("/counts/failed");
    let total = count("/counts/total");
    let pace = job.pointer("/throughput/tokens_per_second").and_then(Value::as_f64);
    let eta = job.pointer("/eta_seconds").and_then(Value::as_f64);
    let mut facts = Vec::new();
    facts.extend(pace.map(|pace| format!("{pace:.0} tokens/s")));
    facts.extend(eta.map(|eta| format!("ETA {eta:.0} s")));
    let state = text(job, "/state");
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(state.clone());
    bar.set_prefix(facts.join("  "));
    let plain = format!("{state}  {done}/{total} documents  {}", facts.join("  "));
    let line = format!("{state} {done}");
    if bar.is_hidden() && !quiet && line != *said {
        *said = line;
        output::line(plain.trim_end())?;
    }
    Ok(())
}
