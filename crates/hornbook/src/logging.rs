//! Log lines: to stderr, filtered by `HORNBOOK_LOG`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::environment::Environment;
use crate::exit::{Context as _, Failure, Outcome};

/// What is logged when nobody says otherwise.
const DEFAULT_FILTER: &str = "info,sqlx=error,hyper=warn";

/// Starts logging; a filter that cannot be parsed is an error rather than a surprise.
pub(crate) fn start(environment: &Environment) -> Outcome {
    let filter = environment.log.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("HORNBOOK_LOG '{filter}': {error}")))?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match environment.log_format.as_deref() {
        None | Some("text") => builder.try_init(),
        Some("json") => builder.json().try_init(),
        Some(other) => {
            return Err(Failure::usage(format!(
                "HORNBOOK_LOG_FORMAT is text or json, not '{other}'"
            )));
        }
    };
    started.context("starting the log")
}
