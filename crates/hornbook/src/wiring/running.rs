//! A whole service in this process, from the database up and down again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hornbook_api::{ApiConfig, AppParts, AppState, BackendFactory, EndpointFigures, serve};
use hornbook_db::Notifier;
use hornbook_db::documents::CommitMeter;
use hornbook_inference::Ambient;
use hornbook_types::SystemClock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Backends, Database, RunningWorker, WorkerParts, catalog, hub, initial_key, load_engine,
    open_store, policy, start_worker, tokenizer_directories,
};
use crate::config::ServeConfig;
use crate::environment::Environment;
use crate::exit::{Context as _, Failure, Outcome};

/// Longest wait for requests under way once everything else has stopped.
const REQUESTS_DRAIN: Duration = Duration::from_secs(5);

/// A service that listens.
pub(crate) struct Running {
    url: String,
    database: Database,
    workers: Vec<RunningWorker>,
    server: JoinHandle<std::io::Result<()>>,
    stop_server: CancellationToken,
    drain: Duration,
}

impl Running {
    /// Starts everything in the order in which it is needed; returns when the service answers.
    pub(crate) async fn start(
        config: ServeConfig,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let database = Database::open(&config.storage, environment).await?;
        match Self::start_on(&config, &database, environment).await {
            Ok(parts) => {
                let (url, workers, server, stop_server) = parts;
                Ok(Self { url, database, workers, server, stop_server, drain: config.drain })
            }
            Err(failure) => {
                // A service that cannot start must not leave its private server behind.
                let closed = database.close().await;
                Err(match closed {
                    Ok(()) => failure,
                    Err(also) => Failure::new(failure.code, format!("{failure}; then {also}")),
                })
            }
        }
    }

    /// Where it listens, as `http://HOST:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops in the opposite order: workers drain, requests end, the database closes, its server stops.
    pub(crate) async fn stop(self) -> Outcome {
        let drains = self.workers.into_iter().map(|worker| worker.shutdown(self.drain));
        futures_util::future::join_all(drains).await;
        self.stop_server.cancel();
        let abort = self.server.abort_handle();
        if tokio::time::timeout(REQUESTS_DRAIN, self.server).await.is_err() {
            abort.abort();
        }
        self.database.close().await
    }

    async fn start_on(
        config: &ServeConfig,
        database: &Database,
        environment: &Environment,
    ) -> Result<Parts, Failure> {
        let db = &database.db;
        catalog::load(db).await?;
        if let Some(file) = &config.initial_key_file {
            initial_key::create(db, file).await?;
        }
        initial_key::require(db, config.listen).await?;
        let store = open_store(&config.storage)?;
        let local = load_engine(config.engine.as_ref(), db).await?;
        let loopback = config.listen.ip().is_loopback();
        let backends = Backends::new(
            db.clone(),
            policy(loopback, &config.allowed_networks)?,
            Ambient::system(rand::random()),
            local,
        )?;
        let datasets = hub(&config.importing, &backends, environment);
        let by_worker: Vec<Backends> = (0..config.workers).map(|_| backends.apart()).collect();
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| Failure::error(format!("listening on {}: {error}", config.listen)))?;
        let address = listener.local_addr().context("listening")?;
        let url = format!("http://{address}");
        let stop_server = CancellationToken::new();
        let commits: Arc<CommitMeter> = Arc::default();
        let state = AppState::new(AppParts {
            db: db.clone(),
            notifier: Notifier::start(db),
            store: Arc::clone(&store),
            clock: Arc::new(SystemClock),
            random: Arc::new(Mutex::new(StdRng::from_os_rng())),
            config: api_config(config, address, url.clone(), database.session_secret),
            backends: factory(&backends),
            endpoint_figures: figures(by_worker.clone()),
            commits: Arc::clone(&commits),
            shutdown: stop_server.clone(),
        });
        let stopped = stop_server.clone();
        let server = tokio::spawn(serve(listener, state, stopped.cancelled_owned()));
        let mut workers = Vec::new();
        for (index, backends) in (0..).zip(by_worker) {
            let parts = WorkerParts {
                db: db.clone(),
                store: Arc::clone(&store),
                backends,
                data_dir: config.storage.data_dir.clone(),
                import_root: config.importing.import_root.clone(),
                datasets: Arc::clone(&datasets),
                name: database.worker_name(index),
                commits: Arc::clone(&commits),
            };
            workers.push(start_worker(parts).await?);
        }
        Ok((url, workers, server, stop_server))
    }
}

type Parts = (String, Vec<RunningWorker>, JoinHandle<std::io::Result<()>>, CancellationToken);

fn api_config(
    config: &ServeConfig,
    address: SocketAddr,
    url: String,
    session_secret: [u8; 32],
) -> ApiConfig {
    let base_url = match &config.base_url {
        Some(base) => base.as_str().trim_end_matches('/').to_owned(),
        None => url,
    };
    let mut api = ApiConfig::local(base_url, session_secret);
    api.loopback = address.ip().is_loopback();
    api.allowed_hosts = config.allowed_hosts.clone();
    api.tokenizers = tokenizer_directories(&config.storage.data_dir);
    api.spool_dir = config.storage.data_dir.join("uploads");
    api.import_root = config.importing.import_root.clone();
    api.allowed_hosts.extend(config.base_url.as_ref().and_then(Url::host_str).map(str::to_owned));
    if !address.ip().is_unspecified() {
        api.allowed_hosts.push(address.ip().to_string());
    }
    api
}

fn factory(backends: &Backends) -> BackendFactory {
    let backends = backends.clone();
    Arc::new(move |name| {
        let backends = backends.clone();
        Box::pin(async move { backends.make_to_try(&name).await })
    })
}

fn figures(by_worker: Vec<Backends>) -> EndpointFigures {
    Arc::new(move || {
        let numbered = by_worker.iter().enumerate();
        let named = |(number, backends): (usize, &Backends)| {
            backends.figures().into_iter().map(move |(name, one)| ((name, number), one))
        };
        numbered.flat_map(named).collect()
    })
}
