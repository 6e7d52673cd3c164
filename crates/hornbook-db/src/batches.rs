//! Batches of an endpoint and the requests in them: what was paid for, and whose answers may not
//! all have been had.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::{Db, DbError};

/// Days for which a batch is remembered at the longest; providers keep its files for thirty.
const BATCH_DAYS: i32 = 25;

/// A batch in which requests were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    /// Our own name for it.
    pub key: String,
    /// The provider's name, where it was heard.
    pub batch_id: Option<String>,
    /// Those of the requests looked for that it asks.
    pub requests: Vec<Vec<u8>>,
    /// How long ago it was noted.
    pub age: Duration,
}

/// Place by age, newest first; key, the provider's name, one request, and age in seconds.
type Row = (i64, String, Option<String>, Vec<u8>, f64);

/// Notes a batch that is about to be made, and forgets those that are too old to be of use; one
/// that is noted already stays as it is.
pub async fn begin(
    db: &Db,
    endpoint: Uuid,
    key: &str,
    requests: &[Vec<u8>],
) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    sqlx::query(
        "DELETE FROM batches WHERE endpoint_id = $1 AND created_at < now() - make_interval(days => $2)",
    )
    .bind(endpoint)
    .bind(BATCH_DAYS)
    .execute(&mut *tx)
    .await?;
    sqlx::query("INSERT INTO batches (endpoint_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(endpoint)
        .bind(key)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO batch_requests (endpoint_id, key, request)
         SELECT $1, $2, unnest($3::bytea[]) ON CONFLICT DO NOTHING",
    )
    .bind(endpoint)
    .bind(key)
    .bind(requests)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that a batch is made now; false where it may not be.
///
/// It may not where it is gone, or where another batch asks one of its requests, is none of `passed`
/// and was claimed, or noted earlier.
pub async fn claim(db: &Db, endpoint: Uuid, key: &str, passed: &[String]) -> Result<bool, DbError> {
    let mut tx = db.begin().await?;
    // One after the other, and none between the look at the others and the claim: the note of a
    // batch holds this row as well, by its foreign key.
    sqlx::query("SELECT 1 FROM endpoints WHERE id = $1 FOR UPDATE")
        .bind(endpoint)
        .execute(&mut *tx)
        .await?;
    let claimed = sqlx::query(
        "UPDATE batches mine SET claimed_at = now()
          WHERE endpoint_id = $1 AND key = $2 AND NOT EXISTS (
                SELECT 1
                  FROM batch_requests asked
                  JOIN batch_requests same
                    ON same.endpoint_id = asked.endpoint_id AND same.request = asked.request
                  JOIN batches other ON other.endpoint_id = same.endpoint_id AND other.key = same.key
                 WHERE asked.endpoint_id = $1 AND asked.key = $2
                   AND other.key <> $2 AND other.key <> ALL ($3)
                   AND (other.claimed_at IS NOT NULL OR other.batch_id IS NOT NULL
                        OR (other.created_at, other.key) < (mine.created_at, mine.key)))",
    )
    .bind(endpoint)
    .bind(key)
    .bind(passed)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(claimed.rows_affected() == 1)
}

/// Forgets a batch that the provider has not, unless its maker may still be at it: it has no name,
/// and was noted less than `uploading` ago, or claimed less than `making` ago. True where it is
/// forgotten now.
pub async fn give_up(
    db: &Db,
    endpoint: Uuid,
    key: &str,
    uploading: Duration,
    making: Duration,
) -> Result<bool, DbError> {
    let given_up = sqlx::query(
        "DELETE FROM batches
          WHERE endpoint_id = $1 AND key = $2 AND batch_id IS NULL
            AND coalesce(claimed_at + make_interval(secs => $4),
                         created_at + make_interval(secs => $3)) <= now()",
    )
    .bind(endpoint)
    .bind(key)
    .bind(uploading.as_secs_f64())
    .bind(making.as_secs_f64())
    .execute(db.pool())
    .await?;
    Ok(given_up.rows_affected() == 1)
}

/// Notes the provider's name for a batch.
///
/// # Errors
/// `NotFound` when nobody noted the batch.
pub async fn created(db: &Db, endpoint: Uuid, key: &str, batch_id: &str) -> Result<(), DbError> {
    let updated =
        sqlx::query("UPDATE batches SET batch_id = $3 WHERE endpoint_id = $1 AND key = $2")
            .bind(endpoint)
            .bind(key)
            .bind(batch_id)
            .execute(db.pool())
            .await?;
    DbError::expect_one(updated.rows_affected(), "batch")
}

/// Forgets a batch and what it asked; one that is not there is forgotten already.
pub async fn forget(db: &Db, endpoint: Uuid, key: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM batches WHERE endpoint_id = $1 AND key = $2")
        .bind(endpoint)
        .bind(key)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// The batches that hold some of these requests, newest first.
pub async fn find(
    db: &Db,
    endpoint: Uuid,
    requests: &[Vec<u8>],
) -> Result<Vec<FoundBatch>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT rank() OVER (ORDER BY b.created_at DESC, b.key), b.key, b.batch_id, r.request,
                extract(epoch FROM now() - b.created_at)::float8
           FROM batch_requests r JOIN batches b USING (endpoint_id, key)
          WHERE r.endpoint_id = $1 AND r.request = ANY ($2)",
    )
    .bind(endpoint)
    .bind(requests)
    .fetch_all(db.pool())
    .await?;
    let mut found: BTreeMap<(i64, String), FoundBatch> = BTreeMap::new();
    for (rank, key, batch_id, request, age_seconds) in rows {
        let batch = found.entry((rank, key.clone())).or_insert_with(|| FoundBatch {
            key,
            batch_id,
            requests: Vec::new(),
            age: Duration::try_from_secs_f64(age_seconds).unwrap_or_default(),
        });
        batch.requests.push(request);
    }
    Ok(found.into_values().collect())
}
