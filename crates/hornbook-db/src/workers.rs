//! Workers: who is at work, and what a successor may take over at once.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Db, DbError, limits};

/// A worker process.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Worker {
    /// Its id, new with every start.
    pub id: Uuid,
    /// Its name, if it has one.
    pub name: String,
    /// When it started.
    pub started_at: OffsetDateTime,
    /// When it was last heard of.
    pub heartbeat_at: OffsetDateTime,
}

/// Announces a worker; gives the number of leases of dead predecessors that it made free.
///
/// A `name` is for processes of which only one can run at a time, such as the one that holds the
/// lock on a data directory: leases of an earlier worker of that name end now, as deaths, instead
/// of running out. Others pass an empty name.
pub async fn register(db: &Db, id: Uuid, name: &str) -> Result<u64, DbError> {
    let mut tx = db.begin().await?;
    let freed = if name.is_empty() {
        0
    } else {
        let chunks = sqlx::query(
            "UPDATE job_chunks SET lease_expires_at = clock_timestamp() - interval '1 second'
              WHERE state = 'leased' AND lease_expires_at > clock_timestamp()
                AND lease_owner IN (SELECT id FROM workers WHERE name = $1 AND id <> $2)",
        )
        .bind(name)
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let assemblies = sqlx::query(
            "UPDATE jobs SET assembly_expires_at = clock_timestamp() - interval '1 second'
              WHERE assembly_token IS NOT NULL AND assembly_expires_at > clock_timestamp()
                AND assembly_owner IN (SELECT id FROM workers WHERE name = $1 AND id <> $2)",
        )
        .bind(name)
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let mixed = sqlx::query(
            "UPDATE mixed_corpora SET assembly_expires_at = clock_timestamp() - interval '1 second'
              WHERE assembly_token IS NOT NULL AND assembly_expires_at > clock_timestamp()
                AND assembly_owner IN (SELECT id FROM workers WHERE name = $1 AND id <> $2)",
        )
        .bind(name)
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let imports = sqlx::query(
            "UPDATE imports SET lease_expires_at = clock_timestamp() - interval '1 second'
              WHERE lease_token IS NOT NULL AND lease_expires_at > clock_timestamp()
                AND lease_owner IN (SELECT id FROM workers WHERE name = $1 AND id <> $2)",
        )
        .bind(name)
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        chunks + assemblies + mixed + imports
    };
    end_predecessors_shares(&mut tx, id, name).await?;
    sqlx::query(
        "INSERT INTO workers (id, name) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, heartbeat_at = now()",
    )
    .bind(id)
    .bind(name)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(freed)
}

/// Ends what earlier processes of that name held of endpoints' limits.
///
/// Their rates cool, but not for whoever has the same name: it starts with an empty bucket.
async fn end_predecessors_shares(
    tx: &mut PgConnection,
    id: Uuid,
    name: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE endpoint_shares SET expires_at = clock_timestamp()
          WHERE $1 <> '' AND worker_name = $1 AND worker_id <> $2
            AND expires_at > clock_timestamp()",
    )
    .bind(name)
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a worker that ends in good order off the list, and ends its shares of endpoints' limits.
pub async fn deregister(db: &Db, id: Uuid) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    sqlx::query("SELECT release_shares($1, $2)")
        .bind(id)
        .bind(limits::SHARE_COOLING_SECONDS)
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM workers WHERE id = $1").bind(id).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Workers heard of in the last `seconds`, longest at work first.
pub async fn list(db: &Db, seconds: u32) -> Result<Vec<Worker>, DbError> {
    Ok(sqlx::query_as(
        "SELECT id, name, started_at, heartbeat_at FROM workers
          WHERE heartbeat_at > now() - make_interval(secs => $1) ORDER BY started_at, id",
    )
    .bind(f64::from(seconds))
    .fetch_all(db.pool())
    .await?)
}
