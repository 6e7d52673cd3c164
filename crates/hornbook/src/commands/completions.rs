//! `hornbook completions`: a completion script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Failure, Outcome};
use crate::output;

/// Prints the completion script for `shell`.
pub(crate) fn run(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hornbook", &mut script);
    let script = String::from_utf8(script).map_err(|error| Failure::error(error.to_string()))?;
    output::raw(&script)
}
