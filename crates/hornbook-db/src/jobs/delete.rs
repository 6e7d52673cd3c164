//! Deleting a job: hidden at once, removed in batches by the janitor.

use hornbook_types::{JobAction, JobState};
use uuid::Uuid;

use super::lock;
use crate::{Conflict, Db, DbError, limits};

/// A deleted job whose remains are to be removed.
///
/// First its files (removing them twice is no error), then its documents batch by batch, then the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// The job.
    pub job_id: Uuid,
    /// Where its corpora lie in the corpus store.
    pub locations: Vec<String>,
}

/// Hides an ended job from every read; [`next_purge`] finds it for removal.
pub async fn delete(db: &Db, id: Uuid) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    let job = lock(&mut tx, id).await?;
    if job.deleting {
        return Err(DbError::NotFound("job"));
    }
    if !job.state.allowed().contains(&JobAction::Delete) {
        return Err(Conflict::State { found: job.state, action: JobAction::Delete }.into());
    }
    let ended: Vec<&str> =
        JobState::ALL.into_iter().filter(|state| state.has_ended()).map(JobState::as_str).collect();
    let marked = sqlx::query(
        "UPDATE jobs SET deleting_at = now() WHERE id = $1 AND deleting_at IS NULL AND state = ANY($2)",
    )
    .bind(id)
    .bind(ended)
    .execute(&mut *tx)
    .await?;
    DbError::expect_one(marked.rows_affected(), "job")?;
    // A job that was failed may have leases left; their owners must not store behind the removal.
    sqlx::query(
        "UPDATE job_chunks SET state = 'requeued', lease_token = NULL, lease_owner = NULL,
                lease_expires_at = NULL WHERE job_id = $1 AND state = 'leased'",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    sqlx::query("SELECT pg_notify($2, $1::text)")
        .bind(id)
        .bind(crate::notifier::CHANNEL)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// A deleted job that nobody assembles any more.
pub async fn next_purge(db: &Db) -> Result<Option<Purge>, DbError> {
    let found: Option<(Uuid, Vec<String>)> = sqlx::query_as(
        "SELECT id, ARRAY(SELECT c.location FROM corpora AS c WHERE c.job_id = jobs.id ORDER BY c.id)
           FROM jobs WHERE deleting_at IS NOT NULL
            AND (assembly_expires_at IS NULL OR assembly_expires_at < clock_timestamp())
          ORDER BY id LIMIT 1",
    )
    .fetch_optional(db.pool())
    .await?;
    Ok(found.map(|(job_id, locations)| Purge { job_id, locations }))
}

/// Removes some thousands of a deleted job's documents, or else of its events; 0 when none is left.
pub async fn purge_documents(db: &Db, id: Uuid) -> Result<u64, DbError> {
    let limit = i64::from(limits::DELETE_ROWS);
    let documents = sqlx::query(
        "DELETE FROM documents WHERE job_id = $1 AND seq IN (
             SELECT d.seq FROM documents AS d WHERE d.job_id = $1 ORDER BY d.seq LIMIT $2)
            AND EXISTS (SELECT FROM jobs WHERE id = $1 AND deleting_at IS NOT NULL)",
    )
    .bind(id)
    .bind(limit)
    .execute(db.pool())
    .await?
    .rows_affected();
    if documents > 0 {
        return Ok(documents);
    }
    Ok(sqlx::query(
        "DELETE FROM job_events WHERE job_id = $1 AND seq IN (
             SELECT e.seq FROM job_events AS e WHERE e.job_id = $1 ORDER BY e.seq LIMIT $2)
            AND EXISTS (SELECT FROM jobs WHERE id = $1 AND deleting_at IS NOT NULL)",
    )
    .bind(id)
    .bind(limit)
    .execute(db.pool())
    .await?
    .rows_affected())
}

/// Removes the last rows of a deleted job, after its files and documents.
pub async fn finish_purge(db: &Db, id: Uuid) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    if !lock(&mut tx, id).await?.deleting {
        return Err(DbError::NotFound("deleted job"));
    }
    // What its chunks cost that were never done outlives it with the rest.
    sqlx::query(
        "INSERT INTO endpoint_usage AS t (endpoint, documents, prompt_tokens, completion_tokens, usd)
         SELECT e.key, sum((e.value ->> 0)::bigint), sum((e.value ->> 1)::bigint),
                sum((e.value ->> 2)::bigint), sum((e.value ->> 3)::float8)
           FROM job_chunks AS c CROSS JOIN LATERAL jsonb_each(c.endpoints) AS e
          WHERE c.job_id = $1 AND c.state <> 'done' GROUP BY e.key ORDER BY e.key
         ON CONFLICT (endpoint) DO UPDATE SET documents = t.documents + excluded.documents,
            prompt_tokens = t.prompt_tokens + excluded.prompt_tokens,
            completion_tokens = t.completion_tokens + excluded.completion_tokens,
            usd = t.usd + excluded.usd",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    for statement in [
        "DELETE FROM corpora WHERE job_id = $1",
        "DELETE FROM job_chunks WHERE job_id = $1",
        "DELETE FROM job_line_blocks WHERE job_id = $1",
        "DELETE FROM job_cells WHERE job_id = $1",
        "DELETE FROM budget_slices WHERE job_id = $1",
        "DELETE FROM job_endpoints WHERE job_id = $1",
        "DELETE FROM job_errors WHERE job_id = $1",
        "DELETE FROM jobs WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
