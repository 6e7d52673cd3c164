//! `hornbook migrate`: bring the database up to date and load the catalog.

use crate::config::StorageConfig;
use crate::environment::Environment;
use crate::exit::Outcome;
use crate::output;
use crate::wiring::{Database, catalog};

/// Migrates the database that the configuration names, starting the private one if need be.
pub(crate) async fn run(storage: &StorageConfig, environment: &Environment) -> Outcome {
    let database = Database::attach_or_open(storage, environment).await?;
    let loaded = catalog::load(&database.db).await;
    let closed = database.close().await;
    loaded.and(closed)?;
    output::line("the database is up to date")
}
