//! The connection pool.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, SqlSafeStr, Transaction};

use crate::{DbError, SecretKey, limits};

/// Version, name and statements of every migration, oldest first.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "init", include_str!("../../../migrations/0001_init.sql")),
    (2, "shares_and_fairness", include_str!("../../../migrations/0002_shares_and_fairness.sql")),
    (3, "budgets_and_quotas", include_str!("../../../migrations/0003_budgets_and_quotas.sql")),
    (5, "presets", include_str!("../../../migrations/0005_presets.sql")),
    (6, "batches", include_str!("../../../migrations/0006_batches.sql")),
    (7, "batch_claims", include_str!("../../../migrations/0007_batch_claims.sql")),
    (8, "claims_and_shares", include_str!("../../../migrations/0008_claims_and_shares.sql")),
    (9, "costs", include_str!("../../../migrations/0009_costs.sql")),
    (10, "exact_costs", include_str!("../../../migrations/0010_exact_costs.sql")),
    (
        11,
        "benchmarks_and_imports",
        include_str!("../../../migrations/0011_benchmarks_and_imports.sql"),
    ),
    (12, "mixed_corpora", include_str!("../../../migrations/0012_mixed_corpora.sql")),
];

/// A pool of connections to the database, and the key that endpoint secrets are sealed with.
///
/// Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    secret_key: Option<Arc<SecretKey>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Db").field("connections", &self.pool.size()).finish_non_exhaustive()
    }
}

impl Db {
    /// Connects to a `postgres://` URL with at most `max_connections` connections.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, DbError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| DbError::Other("the database url is not well-formed".to_owned()))?;
        Self::connect_with(options, max_connections).await
    }

    /// Connects with the given options, for a server on a unix socket for instance.
    pub async fn connect_with(
        options: PgConnectOptions,
        max_connections: u32,
    ) -> Result<Self, DbError> {
        let options = options.application_name("hornbook").options([("TimeZone", "UTC")]);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(limits::ACQUIRE_SECONDS))
            // A ping before every statement would double the round trips; one that was just
            // used is trusted, one that sat through a restart of the server is not.
            .test_before_acquire(false)
            .before_acquire(|connection: &mut PgConnection, meta| {
                Box::pin(async move {
                    if meta.idle_for < Duration::from_millis(limits::IDLE_TRUST_MILLIS) {
                        return Ok(true);
                    }
                    Ok(connection.ping().await.is_ok())
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool, secret_key: None })
    }

    /// The same pool, able to seal and open endpoint secrets.
    #[must_use]
    pub fn with_secret_key(mut self, key: SecretKey) -> Self {
        self.secret_key = Some(Arc::new(key));
        self
    }

    /// Brings the schema up to this build's; safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<(), DbError> {
        let list = MIGRATIONS.iter().map(|&(version, name, sql)| {
            Migration::new(
                version,
                Cow::Borrowed(name),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        });
        Ok(Migrator::with_migrations(list.collect()).run(&self.pool).await?)
    }

    /// One round trip to the server.
    pub async fn ping(&self) -> Result<(), DbError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Waits for statements under way and closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, DbError> {
        Ok(self.pool.begin().await?)
    }

    pub(crate) fn secret_key(&self) -> Result<&SecretKey, DbError> {
        self.secret_key.as_deref().ok_or_else(|| {
            DbError::Other("no secret key was given to open secrets with".to_owned())
        })
    }
}
