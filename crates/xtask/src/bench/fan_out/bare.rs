//! The bare loop: the same requests with nothing around them.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::{Outcome, shell};

use super::super::process;
use super::house::House;
use super::mock::Mock;

/// What a run of the bare loop took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare {
    /// Prompts per second, from the first request to the last answer.
    pub(crate) per_s: f64,
    /// CPU seconds per 1,000 prompts.
    pub(crate) cpu_s: f64,
    /// CPU seconds of the mock per 1,000 prompts.
    pub(crate) mock_cpu_s: f64,
    /// Cores that anything else kept busy meanwhile.
    pub(crate) others_cores: f64,
}

/// Runs it against the mock as it stands.
pub(crate) fn run(
    house: &House,
    mock: &Mock,
    prompts: u64,
    in_flight: u64,
    prompt_bytes: u64,
) -> Outcome<Bare> {
    let (machine_s, mock_s, start) = (process::machine_cpu_s()?, mock.cpu_s(), Instant::now());
    let numbers = [prompts, in_flight, prompt_bytes].map(|number| number.to_string());
    let mut command = Command::new(&house.bare_loop);
    let printed = shell::output(command.arg(format!("http://{}", mock.address)).args(numbers))?;
    let wall_s = start.elapsed().as_secs_f64();
    let said: Value = serde_json::from_slice(&printed)
        .map_err(|error| format!("the bare loop made no sense: {error}"))?;
    let number =
        |name: &str| said[name].as_f64().ok_or_else(|| format!("the bare loop told no {name}"));
    let (seconds, cpu_s, mock_s) =
        (number("seconds")?, number("cpu_seconds")?, mock.cpu_s() - mock_s);
    let others_s = process::machine_cpu_s()? - machine_s - cpu_s - mock_s;
    let thousands = prompts as f64 / 1e3;
    Ok(Bare {
        per_s: prompts as f64 / seconds,
        cpu_s: cpu_s / thousands,
        mock_cpu_s: mock_s / thousands,
        others_cores: (others_s / wall_s).max(0.0),
    })
}
