//! Batches of an endpoint and the requests in them: what was paid for, and whose answers may not
//! all have been had.

use std::collections::BTreeMap;

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
}

/// Notes a batch that is about to be made, and forgets those that are too old to be of use.
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
    sqlx::query("INSERT INTO batches (endpoint_id, key) VALUES ($1, $2)")
        .bind(endpoint)
        .bind(key)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO batch_requests (endpoint_id, key, request) SELECT $1, $2, unnest($3::bytea[])",
    )
    .bind(endpoint)
    .bind(key)
    .bind(requests)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
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
    let rows: Vec<(i64, String, Option<String>, Vec<u8>)> = sqlx::query_as(
        "SELECT rank() OVER (ORDER BY b.created_at DESC, b.key), b.key, b.batch_id, r.request
           FROM batch_requests r JOIN batches b USING (endpoint_id, key)
          WHERE r.endpoint_id = $1 AND r.request = ANY ($2)",
    )
    .bind(endpoint)
    .bind(requests)
    .fetch_all(db.pool())
    .await?;
    let mut found: BTreeMap<(i64, String), FoundBatch> = BTreeMap::new();
    for (rank, key, batch_id, request) in rows {
        let batch = found.entry((rank, key.clone())).or_insert_with(|| FoundBatch {
            key,
            batch_id,
            requests: Vec::new(),
        });
        batch.requests.push(request);
    }
    Ok(found.into_values().collect())
}
