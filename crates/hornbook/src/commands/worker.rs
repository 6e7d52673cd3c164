//! `hornbook worker`: a worker alone, against a database that others share.

use std::sync::Arc;
use std::time::Duration;

use hornbook_inference::Ambient;

use crate::config::{EngineConfig, ImportingConfig, StorageConfig};
use crate::environment::Environment;
use crate::exit::Outcome;
use crate::output;
use crate::wiring::{
    Backends, Database, WorkerParts, hub, load_engine, open_store, policy, require_secret_key,
    start_worker, stop_signal,
};

/// What a worker is told.
pub(crate) struct Settings {
    pub(crate) storage: StorageConfig,
    pub(crate) engine: Option<EngineConfig>,
    pub(crate) drain: Duration,
    /// Private networks that endpoints may lie in.
    pub(crate) networks: Vec<String>,
    pub(crate) importing: ImportingConfig,
}

/// Works until asked to stop; never starts or stops a database.
pub(crate) async fn run(settings: Settings, environment: &Environment) -> Outcome {
    if environment.database_url.is_some() {
        require_secret_key(&settings.storage.data_dir)?;
    }
    let database = Database::attach(&settings.storage, environment).await?;
    let worked = work(&database, &settings, environment).await;
    worked.and(database.close().await)
}

async fn work(database: &Database, settings: &Settings, environment: &Environment) -> Outcome {
    let local = load_engine(settings.engine.as_ref(), &database.db).await?;
    // Beside a private database this machine's own servers are fair endpoints; beside a shared one
    // the operator lists them.
    let is_local = environment.database_url.is_none();
    let backends = Backends::new(
        database.db.clone(),
        policy(is_local, &settings.networks)?,
        Ambient::system(rand::random()),
        local,
    )?;
    let worker = start_worker(WorkerParts {
        db: database.db.clone(),
        store: open_store(&settings.storage)?,
        datasets: hub(&settings.importing, &backends, environment),
        backends,
        data_dir: settings.storage.data_dir.clone(),
        import_root: settings.importing.import_root.clone(),
        name: String::new(),
        commits: Arc::default(),
    })
    .await?;
    output::line("working")?;
    stop_signal().await;
    worker.shutdown(settings.drain).await;
    Ok(())
}
