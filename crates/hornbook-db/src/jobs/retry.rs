//! Running failed prompts again.

use hornbook_types::{JobAction, JobState};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{ASSEMBLY_FAILED, Locked, enter, lock};
use crate::chunks::fold::{Sign, fold};
use crate::convert::from_sql;
use crate::{Conflict, Db, DbError, budgets};

/// What a retry set going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retried {
    /// Failed prompts that will run again.
    pub requeued: u64,
    /// The state that the job is in now; as before when there was nothing to run.
    pub state: JobState,
}

/// Runs failed prompts of an ended job again: those whose error has one of `codes`, or all.
///
/// A cancelled job goes on with the prompts that it never sent as well. A failed assembly is
/// assembled again, unless codes are named. Each chunk is one short transaction, and the job runs
/// only after the last of them, so a retry that is cut off leaves an ended job that can be retried.
pub async fn retry(db: &Db, id: Uuid, codes: Option<&[String]>) -> Result<Retried, DbError> {
    let mut tx = db.begin().await?;
    let job = lock_retryable(&mut tx, id).await?;
    if codes.is_none() && job.error_code.as_deref() == Some(ASSEMBLY_FAILED) {
        enter(&mut tx, id, job.state, JobState::Assembling, None).await?;
        tx.commit().await?;
        return Ok(Retried { requeued: 0, state: JobState::Assembling });
    }
    if budgets::is_spent(&mut tx, id).await? {
        return Err(Conflict::BudgetSpent { found: job.state }.into());
    }
    tx.rollback().await?;

    let mut requeued = 0;
    let mut after = -1;
    while let Some(chunk) = next_failed(db, id, after).await? {
        requeued += requeue(db, id, chunk, codes).await?;
        after = chunk;
    }

    let mut tx = db.begin().await?;
    let job = lock_retryable(&mut tx, id).await?;
    // Prompts never sent, and those of chunks that an earlier retry requeued and did not finish with.
    if job.folded >= job.total {
        return Ok(Retried { requeued, state: job.state });
    }
    enter(&mut tx, id, job.state, JobState::Running, None).await?;
    tx.commit().await?;
    Ok(Retried { requeued, state: JobState::Running })
}

async fn lock_retryable(tx: &mut PgConnection, id: Uuid) -> Result<Locked, DbError> {
    let job = lock(tx, id).await?;
    if job.deleting {
        return Err(DbError::NotFound("job"));
    }
    if !job.state.allowed().contains(&JobAction::Retry) {
        return Err(Conflict::State { found: job.state, action: JobAction::Retry }.into());
    }
    Ok(job)
}

async fn next_failed(db: &Db, id: Uuid, after: i64) -> Result<Option<i64>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT min(chunk) FROM job_chunks WHERE job_id = $1 AND chunk > $2 AND failed > 0",
    )
    .bind(id)
    .bind(after)
    .fetch_one(db.pool())
    .await?)
}

/// Deletes the chosen failed rows of one chunk, takes them out of its counts and requeues it.
async fn requeue(db: &Db, id: Uuid, chunk: i64, codes: Option<&[String]>) -> Result<u64, DbError> {
    let mut tx = db.begin().await?;
    lock_retryable(&mut tx, id).await?;
    let (state, lo, hi): (String, i64, i64) = sqlx::query_as(
        "SELECT state, lo, hi FROM job_chunks WHERE job_id = $1 AND chunk = $2 FOR NO KEY UPDATE",
    )
    .bind(id)
    .bind(chunk)
    .fetch_one(&mut *tx)
    .await?;
    let (deleted, by_endpoint): (i64, Json<Value>) = sqlx::query_as(
        "WITH gone AS (
             DELETE FROM documents WHERE job_id = $1 AND seq >= $2 AND seq < $3 AND verdict = 'failed'
                AND ($4::text[] IS NULL OR reason = ANY($4))
             RETURNING endpoint
         ), part AS (SELECT endpoint, count(*) AS n FROM gone GROUP BY endpoint)
         SELECT coalesce(sum(n), 0)::bigint, coalesce(jsonb_object_agg(endpoint, n), '{}') FROM part",
    )
    .bind(id)
    .bind(lo)
    .bind(hi)
    .bind(codes)
    .fetch_one(&mut *tx)
    .await?;
    if deleted == 0 {
        return Ok(0);
    }
    if state == "done" {
        fold(&mut tx, id, chunk, Sign::Minus).await?;
    }
    recount(&mut tx, id, chunk, (lo, hi), by_endpoint).await?;
    tx.commit().await?;
    Ok(from_sql(deleted))
}

/// Counts what is left of a chunk and opens it again; tokens and dollars that were spent stay spent.
async fn recount(
    tx: &mut PgConnection,
    id: Uuid,
    chunk: i64,
    (lo, hi): (i64, i64),
    deleted: Json<Value>,
) -> Result<(), DbError> {
    let updated = sqlx::query(
        "WITH cell AS (
             SELECT concat_ws(' ', audience, format, verdict, coalesce(reason, '')) AS key, verdict,
                    count(*) AS n, sum(completion_tokens)::bigint AS tokens
               FROM documents WHERE job_id = $1 AND seq >= $3 AND seq < $4 GROUP BY 1, 2
         ), sums AS (
             SELECT coalesce(sum(n) FILTER (WHERE verdict = 'accepted'), 0)::bigint AS accepted,
                    coalesce(sum(n) FILTER (WHERE verdict = 'rejected'), 0)::bigint AS rejected,
                    coalesce(sum(n) FILTER (WHERE verdict = 'failed'), 0)::bigint AS failed,
                    coalesce(jsonb_object_agg(key, jsonb_build_array(n, tokens)), '{}') AS cells
               FROM cell
         )
         UPDATE job_chunks AS c SET state = 'requeued', attempt = attempt + 1, deaths = 0,
                lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL,
                accepted = s.accepted, rejected = s.rejected, failed = s.failed, cells = s.cells, skipped = 0,
                endpoints = (
                    SELECT coalesce(jsonb_object_agg(e.key, jsonb_set(e.value, '{0}', to_jsonb(
                               (e.value ->> 0)::bigint - coalesce(($5::jsonb ->> e.key)::bigint, 0)))), '{}')
                      FROM jsonb_each(c.endpoints) AS e)
           FROM sums AS s WHERE c.job_id = $1 AND c.chunk = $2",
    )
    .bind(id)
    .bind(chunk)
    .bind(lo)
    .bind(hi)
    .bind(deleted)
    .execute(tx)
    .await?;
    DbError::expect_one(updated.rows_affected(), "chunk")
}
