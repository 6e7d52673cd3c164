//! `hornbook serve`: API, dashboard and a worker in one process.

use crate::config::ServeConfig;
use crate::environment::Environment;
use crate::exit::Outcome;
use crate::output;
use crate::wiring::{Running, stop_signal};

/// Serves until asked to stop.
pub(crate) async fn run(config: ServeConfig, environment: &Environment) -> Outcome {
    let running = Running::start(config, environment).await?;
    output::line(&format!("listening on {}", running.url()))?;
    stop_signal().await;
    running.stop().await
}
