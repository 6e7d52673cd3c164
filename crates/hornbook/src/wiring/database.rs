//! The database: the one that `DATABASE_URL` names, or a private one in the data directory.

use std::path::Path;

use hornbook_db::embedded::{self, Postgres, Search, ServerUser};
use hornbook_db::{Db, SecretKey};

use crate::config::StorageConfig;
use crate::environment::Environment;
use crate::exit::{Context as _, Failure, Outcome};

/// Connections that one process may hold.
const CONNECTIONS_MAX: u32 = 24;
/// Name of the file with the key that seals endpoint secrets.
const SECRET_KEY_FILE: &str = "secret.key";
/// What dashboard sessions are signed with is derived under this name.
const SESSION_LABEL: &str = "hornbook dashboard session";

/// A connected, migrated database, and the private server under it when there is one.
pub(crate) struct Database {
    pub(crate) db: Db,
    pub(crate) session_secret: [u8; 32],
    postgres: Option<Postgres>,
}

impl Database {
    /// Connects, starting the private server when no `DATABASE_URL` is set, and migrates.
    pub(crate) async fn open(
        storage: &StorageConfig,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let (db, postgres) = match &environment.database_url {
            Some(url) => (connect_url(url).await?, None),
            None => {
                let config = embedded_config(storage, environment);
                let postgres = Postgres::start(&config).await.context("starting postgres")?;
                let db = Db::connect_with(postgres.options(), CONNECTIONS_MAX)
                    .await
                    .context("connecting to postgres")?;
                (db, Some(postgres))
            }
        };
        db.migrate().await.context("bringing the database up to date")?;
        Self::finish(db, postgres, storage)
    }

    /// Connects to a database that somebody else keeps running; never starts or stops one.
    pub(crate) async fn attach(
        storage: &StorageConfig,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let db = match &environment.database_url {
            Some(url) => connect_url(url).await?,
            None => {
                let options =
                    embedded::attach(&storage.data_dir).await.context("attaching to postgres")?;
                Db::connect_with(options, CONNECTIONS_MAX)
                    .await
                    .context("connecting to postgres")?
            }
        };
        db.migrate().await.context("bringing the database up to date")?;
        Self::finish(db, None, storage)
    }

    /// Attaches when a service already runs in the data directory, else opens.
    pub(crate) async fn attach_or_open(
        storage: &StorageConfig,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        match Self::attach(storage, environment).await {
            Ok(database) => Ok(database),
            Err(_) if environment.database_url.is_none() => Self::open(storage, environment).await,
            Err(failure) => Err(failure),
        }
    }

    /// A name for this process's worker that no other process can bear: the data directory's own, while
    /// the private server's lock on it is held. Beside a shared database there is none.
    pub(crate) fn worker_name(&self, index: usize) -> String {
        match &self.postgres {
            Some(_) => format!("data-dir-{index}"),
            None => String::new(),
        }
    }

    /// Closes every connection, then stops the private server, last of all.
    pub(crate) async fn close(self) -> Outcome {
        self.db.close().await;
        match self.postgres {
            Some(postgres) => postgres.stop().await.context("stopping postgres"),
            None => Ok(()),
        }
    }

    fn finish(
        db: Db,
        postgres: Option<Postgres>,
        storage: &StorageConfig,
    ) -> Result<Self, Failure> {
        let key = secret_key(&storage.data_dir)?;
        let session_secret = key.derive(SESSION_LABEL);
        Ok(Self { db: db.with_secret_key(key), session_secret, postgres })
    }
}

async fn connect_url(url: &str) -> Result<Db, Failure> {
    // The URL may hold a password: the error says what is wrong, never what was given.
    Db::connect(url, CONNECTIONS_MAX).await.context("connecting to DATABASE_URL")
}

/// Refuses to go on without the key that the service sealed endpoint secrets with.
///
/// A worker that made a key of its own would open none of them, and would tell everybody that those
/// endpoints are unavailable.
pub(crate) fn require_secret_key(data_dir: &Path) -> Outcome {
    let path = data_dir.join(SECRET_KEY_FILE);
    if path.exists() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "there is no {}: share the service's data directory with this worker, or copy the file {SECRET_KEY_FILE} from it",
        path.display()
    )))
}

fn secret_key(data_dir: &Path) -> Result<SecretKey, Failure> {
    std::fs::create_dir_all(data_dir).context(&format!("making {}", data_dir.display()))?;
    let path = data_dir.join(SECRET_KEY_FILE);
    SecretKey::load_or_create(&path).context(&format!("reading {}", path.display()))
}

fn embedded_config(storage: &StorageConfig, environment: &Environment) -> embedded::Config {
    embedded::Config {
        data_dir: storage.data_dir.clone(),
        search: Search {
            explicit: storage.pg_bin.clone(),
            path: environment.path.clone(),
            ..Search::default()
        },
        user: ServerUser::current(),
        runtime_dir: environment.runtime_dir.clone(),
    }
}
