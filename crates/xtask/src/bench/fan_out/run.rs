//! One job through the service: how long, and what it cost whom.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;

use super::super::service::Service;
use super::super::{http, process};
use super::house;
use super::mock::Mock;

/// How often the mock is asked whether it has answered everything: asking the service would cost it something.
const LOOK: Duration = Duration::from_millis(50);
/// How often the service is asked after that.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// How long a job may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// What a job took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    /// Documents per second, from the job's submission until all of them were stored.
    pub(crate) per_s: f64,
    /// Answers per second as the mock saw it, from the first request to the last answer.
    pub(crate) asked_per_s: f64,
    /// CPU seconds of the service per 1,000 documents.
    pub(crate) service_cpu_s: f64,
    /// CPU seconds of Postgres, all its processes, per 1,000 documents.
    pub(crate) postgres_cpu_s: f64,
    /// CPU seconds of both per 1,000 documents after that, until the corpus was there; not a number where nobody waited.
    pub(crate) assembly_cpu_s: f64,
    /// CPU seconds of the mock per 1,000 requests.
    pub(crate) mock_cpu_s: f64,
    /// Documents that are accepted, of 1.
    pub(crate) accepted: f64,
    /// Bytes of one request, on average.
    pub(crate) request_bytes: f64,
    /// Most requests that the mock had under way.
    pub(crate) peak_in_flight: f64,
    /// The most memory that the service had until all documents were stored, in bytes.
    pub(crate) peak_bytes: f64,
    /// The most that it ever had.
    pub(crate) ended_peak_bytes: f64,
    /// Bytes in Postgres' tables and indexes for one document.
    pub(crate) table_bytes: f64,
    /// Cores that anything else kept busy until the last document was stored.
    pub(crate) others_cores: f64,
}

/// How far a job is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// All documents are stored.
    Stored,
    /// The corpus is there.
    Ended,
}

/// Submits a job of so many prompts and waits until its documents are stored, or until it ended.
pub(crate) fn job(service: &Service, mock: &Mock, prompts: u64, until: Until) -> Outcome<Ran> {
    let pid = service.pid();
    let cpu = || (process::own_cpu_s(pid), process::below_cpu_s(pid), mock.cpu_s());
    let table_bytes = service.table_bytes();
    let (machine_s, before, start) = (process::machine_cpu_s()?, cpu(), Instant::now());
    let path = house::submit(service, prompts)?;
    wait(start, LOOK, || Ok(mock.seen()?.number("answered")? >= prompts as f64))?;
    wait(start, LAST_LOOK, || is_stored(service, &path, prompts))?;
    let (wall_s, after) = (start.elapsed().as_secs_f64(), cpu());
    let others_s = process::machine_cpu_s()? - machine_s;
    let (service_s, postgres_s, mock_s) =
        (after.0 - before.0, after.1 - before.1, after.2 - before.2);
    let peak_bytes = process::status_bytes(pid, "VmHWM")?;
    let (seen, counts) = (mock.seen()?, http::get(&service.address, &path)?["counts"].take());
    let assembly_s = match until {
        Until::Stored => f64::NAN,
        Until::Ended => {
            wait(start, LOOK, || has_succeeded(service, &path))?;
            let ended = cpu();
            ended.0 - after.0 + ended.1 - after.1
        }
    };
    let thousands = prompts as f64 / 1e3;
    let asked_s = (seen.number("last_answer_micros")? - seen.number("first_micros")?) / 1e6;
    Ok(Ran {
        per_s: prompts as f64 / wall_s,
        asked_per_s: prompts as f64 / asked_s,
        service_cpu_s: service_s / thousands,
        postgres_cpu_s: postgres_s / thousands,
        assembly_cpu_s: assembly_s / thousands,
        mock_cpu_s: mock_s / thousands,
        accepted: counts["accepted"].as_f64().unwrap_or(f64::NAN) / prompts as f64,
        request_bytes: seen.number("request_bytes")? / seen.number("requests")?,
        peak_in_flight: seen.number("peak_in_flight")?,
        peak_bytes,
        ended_peak_bytes: process::status_bytes(pid, "VmHWM")?,
        table_bytes: (service.table_bytes() - table_bytes) / prompts as f64,
        others_cores: ((others_s - service_s - postgres_s - mock_s) / wall_s).max(0.0),
    })
}

/// Whether all documents of a job are stored, whatever their verdict.
pub(crate) fn is_stored(service: &Service, path: &str, prompts: u64) -> Outcome<bool> {
    let counts = http::get(&service.address, path)?["counts"].take();
    let ended = ["accepted", "rejected", "failed"].map(|verdict| counts[verdict].as_u64());
    Ok(ended.into_iter().flatten().sum::<u64>() >= prompts)
}

fn has_succeeded(service: &Service, path: &str) -> Outcome<bool> {
    let job = http::get(&service.address, path)?;
    match job["state"].as_str() {
        Some("succeeded") => Ok(true),
        Some("queued" | "running" | "assembling") => Ok(false),
        _ => Err(format!("the job did not succeed: {job}")),
    }
}

/// Asks again and again until the answer is yes.
pub(crate) fn wait(
    start: Instant,
    look: Duration,
    mut done: impl FnMut() -> Outcome<bool>,
) -> Outcome {
    while !done()? {
        if start.elapsed() > PATIENCE {
            return Err(format!("nothing ended within {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(look);
    }
    Ok(())
}

/// Cancels a job and waits until it ended, so that the service can be stopped at once.
pub(crate) fn cancel(service: &Service, path: &str) -> Outcome {
    http::post(&service.address, &format!("{path}/cancel"), &Value::Null)?;
    wait(Instant::now(), LOOK, || {
        Ok(http::get(&service.address, path)?["state"].as_str() == Some("cancelled"))
    })
}
