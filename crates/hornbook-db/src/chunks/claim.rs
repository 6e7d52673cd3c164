//! Taking a chunk: one that nobody holds any more, or the next that is cut from the job.

use hornbook_types::JobState;
use hornbook_types::limits::{CHUNK_PROMPTS_MAX, CHUNK_PROMPTS_MIN, LEASE_SECONDS};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Lease, LeaseKey, LeaseToken, quota};
use crate::convert::{from_sql, to_sql};
use crate::jobs::{Locked, enter, lock};
use crate::{Db, DbError};

#[derive(sqlx::FromRow)]
struct Row {
    chunk: i64,
    lo: i64,
    hi: i64,
    attempt: i32,
    deaths: i32,
    /// Prompts of it that count for its job's virtual time.
    charged: i64,
    lease_token: i64,
}

/// Leases about `prompts` prompts to `worker` from the job that should go next among those that
/// `endpoints` may serve; `None` when there is nothing to do.
///
/// Next is the highest priority, then the job that has had the fewest prompts leased for its
/// weight (its virtual time), then the oldest. The first claim of a queued job makes it run.
pub async fn claim(
    db: &Db,
    worker: Uuid,
    endpoints: &[String],
    prompts: u64,
) -> Result<Option<Lease>, DbError> {
    let prompts = prompts.clamp(CHUNK_PROMPTS_MIN, CHUNK_PROMPTS_MAX);
    let mut tx = db.begin().await?;
    let Some(job) = pick(&mut tx, worker, endpoints).await? else {
        return Ok(None);
    };
    let before = lock(&mut tx, job).await?;
    let leased = match take_over(&mut tx, job, worker).await? {
        Some(row) => Some((row, false)),
        None => cut(&mut tx, &before, worker, prompts).await?.map(|row| (row, true)),
    };
    let Some((row, fresh)) = leased else {
        return Ok(None);
    };
    if before.state == JobState::Queued {
        enter(&mut tx, job, JobState::Queued, JobState::Running, None).await?;
    }
    charge(&mut tx, job, endpoints, row.charged).await?;
    let line_accepted = quota::accepted_below(&mut tx, job, row.chunk).await?;
    tx.commit().await?;
    Ok(Some(Lease {
        key: LeaseKey { job_id: job, chunk: row.chunk, token: LeaseToken(row.lease_token) },
        lo: from_sql(row.lo),
        hi: from_sql(row.hi),
        attempt: row.attempt,
        deaths: row.deaths,
        fresh,
        line_accepted,
    }))
}

/// Locks the job to serve next.
///
/// Jobs of a key whose tokens of today are spent wait. A job with a budget is passed over by those
/// who may spend nothing of it, and one that asks for accepted documents while as many are under way
/// as should be enough. The rules are the schema's function `claimable_job`, which shares of
/// endpoints' limits ask as well: who can claim nothing has no use for them.
async fn pick(
    tx: &mut PgConnection,
    worker: Uuid,
    endpoints: &[String],
) -> Result<Option<Uuid>, DbError> {
    Ok(sqlx::query_scalar("SELECT pick_job($1, $2)")
        .bind(endpoints)
        .bind(worker)
        .fetch_one(tx)
        .await?)
}

/// Moves the job's virtual time on by `prompts` over its weight.
///
/// While a job can be claimed from, it lags behind any other by one chunk of that other at most. One
/// that could not (paused, its endpoints down, its key's quota spent) lags more when it comes back;
/// what is more than a chunk is forgotten, so that it does not keep the others out to catch up.
/// Prompts that are handed back are [refunded](refund).
async fn charge(
    tx: &mut PgConnection,
    job: Uuid,
    endpoints: &[String],
    prompts: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE jobs AS j SET vtime = $2 / j.weight + greatest(j.vtime, (
                SELECT max(o.vtime - $3 / o.weight) FROM jobs AS o
                 WHERE o.state IN ('queued', 'running') AND o.id <> j.id
                   AND o.priority = j.priority AND o.endpoints && $4))
          WHERE j.id = $1",
    )
    .bind(job)
    .bind(prompts as f64)
    .bind(CHUNK_PROMPTS_MAX as f64)
    .bind(endpoints)
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves a job's virtual time back by `prompts` over its weight: they were leased and not sent.
///
/// Locks the job, so the caller must not hold a lock on a chunk.
pub(crate) async fn refund(tx: &mut PgConnection, job: Uuid, prompts: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE jobs SET vtime = vtime - $2 / weight WHERE id = $1 AND $2 > 0")
        .bind(job)
        .bind(prompts as f64)
        .execute(tx)
        .await?;
    Ok(())
}

/// A chunk that was handed back, or whose owner let the lease run out; the latter counts as a death.
///
/// What a dead owner left was charged to the job when it leased it, and is not charged again.
async fn take_over(tx: &mut PgConnection, job: Uuid, worker: Uuid) -> Result<Option<Row>, DbError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT chunk FROM job_chunks WHERE job_id = $1 AND state <> 'done'
            AND (state = 'requeued' OR lease_expires_at < clock_timestamp())
          ORDER BY chunk LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind(job)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(chunk) = found else {
        return Ok(None);
    };
    Ok(Some(
        sqlx::query_as(
            "WITH before AS (
                 SELECT state FROM job_chunks WHERE job_id = $1 AND chunk = $2
             )
             UPDATE job_chunks AS c SET deaths = deaths + CASE WHEN c.state = 'leased' THEN 1 ELSE 0 END,
                    state = 'leased', lease_token = nextval('lease_tokens'), lease_owner = $3,
                    lease_expires_at = clock_timestamp() + make_interval(secs => $4)
               FROM before AS b WHERE c.job_id = $1 AND c.chunk = $2
             RETURNING c.chunk, c.lo, c.hi, c.attempt, c.deaths, c.lease_token,
                    CASE WHEN b.state = 'leased' THEN 0
                         ELSE c.hi - c.lo - c.accepted - c.rejected - c.failed END AS charged",
        )
        .bind(job)
        .bind(chunk)
        .bind(worker)
        .bind(LEASE_SECONDS as f64)
        .fetch_one(tx)
        .await?,
    ))
}

/// The next chunk cut from the job, whose row is locked.
async fn cut(
    tx: &mut PgConnection,
    before: &Locked,
    worker: Uuid,
    prompts: u64,
) -> Result<Option<Row>, DbError> {
    if before.next_seq >= before.total {
        return Ok(None);
    }
    let room = quota::room(tx, before).await?;
    if room == 0 {
        return Ok(None);
    }
    let hi = before.next_seq.saturating_add(to_sql(prompts).min(room)).min(before.total);
    let row = sqlx::query_as(
        "WITH cut AS (
             UPDATE jobs SET next_seq = $3, next_chunk = next_chunk + 1
              WHERE id = $1 AND next_seq = $2
             RETURNING next_chunk - 1 AS chunk, job_useful(quotas, line_accepted) AS useful
         )
         INSERT INTO job_chunks (job_id, chunk, lo, hi, state, lease_token, lease_owner, lease_expires_at, useful)
         SELECT $1, chunk, $2, $3, 'leased', nextval('lease_tokens'), $4,
                clock_timestamp() + make_interval(secs => $5), useful
           FROM cut
         RETURNING chunk, lo, hi, attempt, deaths, lease_token, hi - lo AS charged",
    )
    .bind(before.id)
    .bind(before.next_seq)
    .bind(hi)
    .bind(worker)
    .bind(LEASE_SECONDS as f64)
    .fetch_one(tx)
    .await?;
    Ok(Some(row))
}
