//! Ending a lease: the chunk is done, or handed back.

use hornbook_types::JobState;
use sqlx::PgConnection;
use uuid::Uuid;

use super::claim::refund;
use super::fold::{Sign, fold};
use super::{LeaseKey, LeaseToken, quota};
use crate::convert::{from_sql, to_sql};
use crate::jobs::{lock, settle};
use crate::{Db, DbError, keys};

/// What came of finishing a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Every prompt of it had ended; the state that its job is in now.
    Done(JobState),
    /// So many prompts have no document yet; the lease is still held.
    Missing(u64),
    /// What the chunk counts is not what is stored, and will not be however often it is asked; says how.
    Contradicts(String),
}

/// What the owner of a chunk says of a job that asks for accepted documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaPart {
    /// Prompts of the chunk that need no document.
    pub skipped: u64,
    /// Accepted documents of the chunk by recipe line.
    pub line_accepted: Vec<u64>,
}

/// Ends a chunk whose every prompt has a document, and folds its counts into the job's.
///
/// The last chunk of a running job moves it on to assembly.
pub async fn finish(db: &Db, key: &LeaseKey) -> Result<Finished, DbError> {
    finish_quota(db, key, None).await
}

/// Like [`finish`], for a chunk of a job that asks for accepted documents.
pub async fn finish_quota(
    db: &Db,
    key: &LeaseKey,
    part: Option<&QuotaPart>,
) -> Result<Finished, DbError> {
    let mut tx = db.begin().await?;
    // The job before the chunk: the one order in which locks are taken.
    lock(&mut tx, key.job_id).await?;
    let (lo, hi, counted, accepted): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT lo, hi, accepted + rejected + failed, accepted FROM job_chunks
          WHERE job_id = $1 AND chunk = $2 AND state = 'leased' AND lease_token = $3
            AND lease_expires_at > clock_timestamp() FOR NO KEY UPDATE",
    )
    .bind(key.job_id)
    .bind(key.chunk)
    .bind(key.token.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(DbError::Fenced)?;
    let stored = stored(&mut tx, key, lo, hi).await?;
    if stored != counted {
        return Ok(Finished::Contradicts(format!(
            "chunk {} counts {counted} documents and has {stored}",
            key.chunk
        )));
    }
    let skipped = part.map_or(0, |part| to_sql(part.skipped));
    if stored + skipped < hi - lo {
        return Ok(Finished::Missing(from_sql(hi - lo - stored - skipped)));
    }
    let line_accepted: Option<Vec<i64>> =
        part.map(|part| part.line_accepted.iter().map(|&count| to_sql(count)).collect());
    let by_line = line_accepted.as_ref().map_or(accepted, |lines| lines.iter().sum());
    if by_line != accepted || stored + skipped > hi - lo {
        return Ok(Finished::Contradicts(format!(
            "chunk {} has {accepted} accepted documents, {by_line} by line, and skips {skipped}",
            key.chunk
        )));
    }
    let done = sqlx::query(
        "UPDATE job_chunks SET state = 'done', deaths = 0, lease_token = NULL, lease_owner = NULL,
                lease_expires_at = NULL, skipped = $4, line_accepted = $5
          WHERE job_id = $1 AND chunk = $2 AND lease_token = $3",
    )
    .bind(key.job_id)
    .bind(key.chunk)
    .bind(key.token.0)
    .bind(skipped)
    .bind(line_accepted)
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(done.rows_affected(), "chunk")?;
    fold(&mut tx, key.job_id, key.chunk, Sign::Plus).await?;
    keys::charge(&mut tx, key.job_id, key.chunk).await?;
    quota::close(&mut tx, key.job_id).await?;
    let state = settle(&mut tx, key.job_id).await?;
    tx.commit().await?;
    Ok(Finished::Done(state))
}

/// Documents of a chunk that are stored.
async fn stored(tx: &mut PgConnection, key: &LeaseKey, lo: i64, hi: i64) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM documents WHERE job_id = $1 AND seq >= $2 AND seq < $3",
    )
    .bind(key.job_id)
    .bind(lo)
    .bind(hi)
    .fetch_one(tx)
    .await?)
}

/// Hands a chunk back for anyone to take, without counting it as a death.
///
/// The last lease of a job being cancelled ends that job.
pub async fn release(db: &Db, token: LeaseToken) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    let (job, chunk, unsent): (Uuid, i64, i64) = sqlx::query_as(
        "UPDATE job_chunks SET state = 'requeued', lease_token = NULL, lease_owner = NULL,
                lease_expires_at = NULL
          WHERE lease_token = $1 AND state = 'leased'
         RETURNING job_id, chunk, hi - lo - accepted - rejected - failed",
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
    refund(&mut tx, job, unsent).await?;
    settle(&mut tx, job).await?;
    tx.commit().await?;
    Ok(())
}
