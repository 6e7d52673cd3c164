//! `hornbook worker`: a worker alone, against a database that others share.

use std::sync::Arc;
use std::time::Duration;

use hornbook_inference::Ambient;

use crate::config::{EngineConfig, StorageConfig};
use crate::environment::Environment;
use crate::exit::Outcome;
use crate::output;
use crate::wiring::{
    Backends, Database, WorkerParts, load_engine, open_store, policy, require_secret_key,
    start_worker, stop_signal,
};

/// Works until asked to stop; never starts or stops a database.
pub(crate) async fn run(
    storage: StorageConfig,
    engine: Option<EngineConfig>,
    drain: Duration,
    allowed_networks: &[String],
    environment: &Environment,
) -> Outcome {
    if environment.database_url.is_some() {
        require_secret_key(&storage.data_dir)?;
    }
    let database = Database::attach(&storage, environment).await?;
    // Beside a private database this machine's own servers are fair endpoints; beside a shared one
    // the operator lists them.
    let is_local = environment.database_url.is_none();
    let worked = work(&database, &storage, engine, drain, is_local, allowed_networks).await;
    worked.and(database.close().await)
}

async fn work(
    database: &Database,
    storage: &StorageConfig,
    engine: Option<EngineConfig>,
    drain: Duration,
    is_local: bool,
    allowed_networks: &[String],
) -> Outcome {
    let local = load_engine(engine.as_ref(), &database.db).await?;
    let backends = Backends::new(
        database.db.clone(),
        policy(is_local, allowed_networks)?,
        Ambient::system(rand::random()),
        local,
    )?;
    let worker = start_worker(WorkerParts {
        db: database.db.clone(),
        store: open_store(storage)?,
        backends,
        data_dir: storage.data_dir.clone(),
        name: String::new(),
        commits: Arc::default(),
    })
    .await?;
    output::line("working")?;
    stop_signal().await;
    worker.shutdown(drain).await;
    Ok(())
}
