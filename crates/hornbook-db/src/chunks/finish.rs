//! Ending a lease: the chunk is done, or handed back.

use hornbook_types::JobState;
use uuid::Uuid;

use super::fold::{Sign, fold};
use super::{LeaseKey, LeaseToken};
use crate::convert::from_sql;
use crate::jobs::{lock, settle};
use crate::{Db, DbError, keys};

/// What came of finishing a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Every prompt of it had ended; the state that its job is in now.
    Done(JobState),
    /// So many prompts have no document yet; the lease is still held.
    Missing(u64),
}

/// Ends a chunk whose every prompt has a document, and folds its counts into the job's.
///
/// The last chunk of a running job moves it on to assembly.
pub async fn finish(db: &Db, key: &LeaseKey) -> Result<Finished, DbError> {
    let mut tx = db.begin().await?;
    // The job before the chunk: the one order in which locks are taken.
    lock(&mut tx, key.job_id).await?;
    let (lo, hi, counted): (i64, i64, i64) = sqlx::query_as(
        "SELECT lo, hi, accepted + rejected + failed FROM job_chunks
          WHERE job_id = $1 AND chunk = $2 AND state = 'leased' AND lease_token = $3
            AND lease_expires_at > clock_timestamp() FOR NO KEY UPDATE",
    )
    .bind(key.job_id)
    .bind(key.chunk)
    .bind(key.token.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(DbError::Fenced)?;
    let stored: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM documents WHERE job_id = $1 AND seq >= $2 AND seq < $3",
    )
    .bind(key.job_id)
    .bind(lo)
    .bind(hi)
    .fetch_one(&mut *tx)
    .await?;
    if stored != counted {
        return Err(DbError::Other(format!(
            "chunk {} counts {counted} documents and has {stored}",
            key.chunk
        )));
    }
    if stored < hi - lo {
        return Ok(Finished::Missing(from_sql(hi - lo - stored)));
    }
    let done = sqlx::query(
        "UPDATE job_chunks SET state = 'done', deaths = 0, lease_token = NULL, lease_owner = NULL,
                lease_expires_at = NULL
          WHERE job_id = $1 AND chunk = $2 AND lease_token = $3",
    )
    .bind(key.job_id)
    .bind(key.chunk)
    .bind(key.token.0)
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(done.rows_affected(), "chunk")?;
    fold(&mut tx, key.job_id, key.chunk, Sign::Plus).await?;
    keys::charge(&mut tx, key.job_id, key.chunk).await?;
    let state = settle(&mut tx, key.job_id).await?;
    tx.commit().await?;
    Ok(Finished::Done(state))
}

/// Hands a chunk back for anyone to take, without counting it as a death.
///
/// The last lease of a job being cancelled ends that job.
pub async fn release(db: &Db, token: LeaseToken) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    let (job, chunk): (Uuid, i64) = sqlx::query_as(
        "UPDATE job_chunks SET state = 'requeued', lease_token = NULL, lease_owner = NULL,
                lease_expires_at = NULL
          WHERE lease_token = $1 AND state = 'leased' RETURNING job_id, chunk",
    )
    .bind(token.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(DbError::Fenced)?;
    keys::charge(&mut tx, job, chunk).await?;
    sqlx::query("SELECT pg_notify($2, $1::text)")
        .bind(job)
        .bind(crate::notifier::CHANNEL)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    // A transaction of its own, because it locks the job, which must come before the chunk.
    let mut tx = db.begin().await?;
    settle(&mut tx, job).await?;
    tx.commit().await?;
    Ok(())
}
