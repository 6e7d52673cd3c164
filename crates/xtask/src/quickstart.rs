//! `cargo xtask quickstart`: from a fresh clone to a corpus.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, install, model, openapi};

/// Installs, builds and becomes `hornbook quickstart`, with whatever options were given.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    install::ensure(&[install::POSTGRES, install::PYTHON], ambient)?;
    let model = model::fetch(ambient)?;
    openapi::build(ambient)?;
    let mut hornbook = Command::new(ambient.hornbook());
    hornbook.arg("quickstart").current_dir(&ambient.root);
    if !arguments.iter().any(|argument| argument == "--model" || argument.starts_with("--model=")) {
        hornbook.arg("--model").arg(model);
    }
    // This process becomes the service, so that signals reach it and its exit code is seen.
    let error = hornbook.args(arguments).exec();
    Err(format!("could not run {}: {error}", ambient.hornbook().display()))
}
