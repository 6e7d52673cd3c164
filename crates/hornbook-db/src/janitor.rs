//! Cleaning up after those who are no longer there; safe to run anywhere, any number of times.

use uuid::Uuid;

use crate::chunks::claim::refund;
use crate::convert::from_sql;
use crate::{Db, DbError, budgets, idempotency, jobs, keys, limits};

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Chunks whose owner let the lease run out, free again.
    pub chunks: u64,
    /// Jobs that were moved on.
    pub jobs: u64,
    /// Idempotency keys removed.
    pub keys: u64,
    /// Workers forgotten.
    pub workers: u64,
}

/// Frees expired leases, moves on jobs whose last worker died before it could, and forgets what is old.
///
/// Deleted jobs are for [`jobs::next_purge`], because their files go first.
pub async fn sweep(db: &Db) -> Result<Swept, DbError> {
    let mut swept = Swept { chunks: free_expired(db).await?, ..Swept::default() };
    for job in unsettled(db).await? {
        let mut tx = db.begin().await?;
        let before = match jobs::lock(&mut tx, job).await {
            Ok(locked) => locked.state,
            Err(DbError::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let after = jobs::settle(&mut tx, job).await?;
        tx.commit().await?;
        swept.jobs += u64::from(before != after);
    }
    keys::warn_spent(db).await?;
    swept.jobs += budgets::enforce(db).await?;
    swept.keys = idempotency::purge(db).await?;
    swept.workers =
        sqlx::query("DELETE FROM workers WHERE heartbeat_at < now() - make_interval(hours => $1)")
            .bind(limits::WORKER_HOURS)
            .execute(db.pool())
            .await?
            .rows_affected();
    Ok(swept)
}

/// Requeues chunks whose lease ran out, each counted as a death of its owner.
async fn free_expired(db: &Db) -> Result<u64, DbError> {
    let freed: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "WITH expired AS (
             SELECT job_id, chunk FROM job_chunks
              WHERE state = 'leased' AND lease_expires_at < clock_timestamp()
              ORDER BY job_id, chunk LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
         ), freed AS (
             UPDATE job_chunks AS c SET state = 'requeued', deaths = deaths + 1, lease_token = NULL,
                    lease_owner = NULL, lease_expires_at = NULL
               FROM expired AS e WHERE c.job_id = e.job_id AND c.chunk = e.chunk
             RETURNING c.job_id, c.hi - c.lo - c.accepted - c.rejected - c.failed AS unsent
         ), told AS (
             SELECT f.job_id, count(*) AS chunks, sum(f.unsent)::bigint AS unsent,
                    pg_notify($2, f.job_id::text) FROM freed AS f GROUP BY f.job_id
         )
         SELECT job_id, chunks, unsent FROM told",
    )
    .bind(limits::SWEEP_CHUNKS)
    .bind(crate::notifier::CHANNEL)
    .fetch_all(db.pool())
    .await?;
    let mut chunks = 0;
    for (job, count, unsent) in freed {
        // Apart from the chunks, because a job is locked before its chunks wherever both are.
        refund(&mut *db.pool().acquire().await?, job, unsent).await?;
        chunks += from_sql(count);
    }
    Ok(chunks)
}

/// Jobs from whose chunks it follows that they should be in another state.
async fn unsettled(db: &Db) -> Result<Vec<Uuid>, DbError> {
    Ok(sqlx::query_scalar(
        // Only a paused job can be one that is finishing; the states are those of the index.
        "SELECT id FROM jobs AS j WHERE state IN ('queued', 'running', 'cancelling', 'paused')
            AND (state <> 'paused' OR finishing)
            AND CASE WHEN state = 'cancelling' OR finishing THEN NOT EXISTS (
                    SELECT FROM job_chunks AS c WHERE c.job_id = j.id AND c.state = 'leased'
                       AND c.lease_expires_at > clock_timestamp())
                ELSE accepted + rejected + failed + skipped >= total END
          ORDER BY id LIMIT $1",
    )
    .bind(limits::SWEEP_CHUNKS)
    .fetch_all(db.pool())
    .await?)
}
