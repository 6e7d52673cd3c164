//! Runs programs and says which one failed.

use std::process::{Command, Stdio};

use crate::Outcome;

/// Runs a program with this terminal as its own; a failure names it.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let name = describe(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("could not run {name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} failed ({status})")) }
}

/// Runs a program and returns what it printed; a failure carries its complaints.
pub(crate) fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let name = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("could not run {name}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} failed ({}): {}", output.status, complaints.trim()))
}

/// The program and its first words.
fn describe(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args().take(3));
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
