//! Budgets: workers spend leased slices of what a job may still cost, and ask for the next before they run out.
//!
//! What a job used is known durably: its row, and the open chunks. On top of it each worker holds a
//! slice: what it has under way and what it may still send. The next slice is cut from what neither
//! the counts nor other slices hold, and not all of it while there is much, so that a worker that comes
//! later gets some. The tokens that a key may use in a day are leased with the same slices, whatever
//! its jobs are. A worker may send while anything of its slice is left, so a job goes over its budget
//! by what is under way at most: what one prompt of each worker costs, and what estimates were short of.

use hornbook_types::limits::LEASE_SECONDS;
use hornbook_types::{Budget, JobState};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::convert::{from_sql, to_sql};
use crate::jobs::{self, BUDGET_SPENT, enter, lock, settle};
use crate::{Db, DbError, limits};

/// What is left is given whole when it is no more than this part of what is wanted.
const SMALL_PART: u64 = 8;

/// Something of what a job may cost; nothing is counted where the budget has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amount {
    /// Prompt and completion tokens.
    pub tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// Failed prompts.
    pub failures: u64,
}

/// What a worker may spend on a job until it asks again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slice {
    /// The job has no budget.
    Unbounded,
    /// Send while something of each is left; no bound is the largest number there is.
    Bounded(Amount),
}

#[derive(sqlx::FromRow)]
struct Row {
    state: String,
    budget_tokens: Option<i64>,
    budget_usd: Option<f64>,
    budget_failures: Option<i64>,
    budget_then: String,
    /// Used durably.
    tokens: i64,
    usd: f64,
    failures: i64,
    /// Held by others.
    other_tokens: i64,
    other_usd: f64,
    other_failures: i64,
    /// What its key may still use today, less what slices hold; absent where there is no such quota.
    key_left: Option<i64>,
    /// Prompts of open chunks that have ended.
    open_ended: i64,
    is_spent: bool,
}

/// Gives `worker` its next slice of a job's budget, in place of the one that it had.
///
/// `under_way` is what it has sent and not stored yet, `want` what it could use until it asks again.
/// The slice lasts [`LEASE_SECONDS`] from the call, on the database's clock. A job that has used up
/// its budget is paused, or finished, here; one whose key has used up its day waits.
pub async fn refill(
    db: &Db,
    job: Uuid,
    worker: Uuid,
    under_way: Amount,
    want: Amount,
) -> Result<Slice, DbError> {
    let Some(bounds) = bounds(db, job).await? else {
        return Ok(Slice::Unbounded);
    };
    let mut tx = db.begin().await?;
    if let Some(key) = bounds.key {
        // Before the job's row, and by whoever leases of this key: its jobs share one quota.
        sqlx::query("SELECT FROM api_keys WHERE id = $1 FOR NO KEY UPDATE")
            .bind(key)
            .execute(&mut *tx)
            .await?;
    }
    let Some(row) = read(&mut tx, job, worker).await? else {
        return Err(DbError::NotFound("job"));
    };
    let slice = row.cut(under_way, want);
    keep(&mut tx, job, worker, under_way, &row.held(slice)).await?;
    if row.is_spent {
        stop(&mut tx, job, &row).await?;
    }
    tx.commit().await?;
    Ok(Slice::Bounded(slice))
}

/// Gives back what a worker holds of a job's budget and does not use.
pub async fn give_back(db: &Db, job: Uuid, worker: Uuid) -> Result<(), DbError> {
    sqlx::query("DELETE FROM budget_slices WHERE job_id = $1 AND worker = $2")
        .bind(job)
        .bind(worker)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Stops jobs that used up their budget when no worker is left to notice; gives how many.
pub(crate) async fn enforce(db: &Db) -> Result<u64, DbError> {
    let spent: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM jobs AS j WHERE state IN ('queued', 'running') AND job_is_spent(j)
          ORDER BY id LIMIT $1",
    )
    .bind(limits::SWEEP_CHUNKS)
    .fetch_all(db.pool())
    .await?;
    let mut stopped = 0;
    for job in spent {
        let mut tx = db.begin().await?;
        if let Some(row) = read(&mut tx, job, Uuid::nil()).await?
            && row.is_spent
        {
            stopped += u64::from(stop(&mut tx, job, &row).await?);
        }
        tx.commit().await?;
    }
    sqlx::query("DELETE FROM budget_slices WHERE expires_at < clock_timestamp()")
        .execute(db.pool())
        .await?;
    Ok(stopped)
}

/// True when a job has used up its budget; the job's row is locked.
pub(crate) async fn is_spent(tx: &mut PgConnection, job: Uuid) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT job_is_spent(j) FROM jobs AS j WHERE j.id = $1")
        .bind(job)
        .fetch_one(tx)
        .await?)
}

/// Replaces a job's budget, its priority, or both; the new ones hold from the next slice and claim on.
pub async fn set(
    db: &Db,
    id: Uuid,
    budget: Option<&Budget>,
    priority: Option<i32>,
) -> Result<(), DbError> {
    let budget = budget.map(|budget| |_| Ok::<_, DbError>(*budget));
    jobs::change(db, id, budget, priority).await
}

/// What bounds a job beside its own budget.
struct Bounds {
    /// The key that submitted it, where that has a quota of tokens.
    key: Option<String>,
}

/// `None` for a job that may cost what it likes.
async fn bounds(db: &Db, job: Uuid) -> Result<Option<Bounds>, DbError> {
    let (has_budget, key): (bool, Option<String>) = sqlx::query_as(
        "SELECT j.budget_tokens IS NOT NULL OR j.budget_usd IS NOT NULL OR j.budget_failures IS NOT NULL, k.id
           FROM jobs AS j LEFT JOIN api_keys AS k ON k.id = j.key_id AND k.quota_tokens_per_day IS NOT NULL
          WHERE j.id = $1",
    )
    .bind(job)
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("job"))?;
    Ok((has_budget || key.is_some()).then_some(Bounds { key }))
}

/// Locks a job's row and reads what of its budget is used and held by others than `worker`.
async fn read(tx: &mut PgConnection, job: Uuid, worker: Uuid) -> Result<Option<Row>, DbError> {
    // A statement of its own: the next one sees what whoever held the lock before has folded, in the
    // job's row and in its chunks alike, and counts nothing twice.
    sqlx::query("SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE")
        .bind(job)
        .execute(&mut *tx)
        .await?;
    Ok(sqlx::query_as(
        "SELECT j.state, j.budget_tokens, j.budget_usd, j.budget_failures, j.budget_then,
                s.tokens, s.usd, s.failures, o.tokens AS other_tokens, o.usd AS other_usd,
                o.failures AS other_failures, job_is_spent(j) AS is_spent,
                CASE WHEN j.key_id IS NOT NULL THEN key_tokens_left(j.key_id, j.id, $2) END AS key_left,
                (SELECT coalesce(sum(c.accepted + c.rejected + c.failed), 0)::bigint FROM job_chunks AS c
                  WHERE c.job_id = j.id AND c.state <> 'done') AS open_ended
           FROM jobs AS j CROSS JOIN LATERAL job_spent(j) AS s CROSS JOIN LATERAL (
                SELECT coalesce(sum(b.tokens), 0)::bigint AS tokens, coalesce(sum(b.usd), 0) AS usd,
                       coalesce(sum(b.failures), 0)::bigint AS failures
                  FROM budget_slices AS b WHERE b.job_id = j.id AND b.worker <> $2
                   AND b.expires_at > clock_timestamp()) AS o
          WHERE j.id = $1",
    )
    .bind(job)
    .bind(worker)
    .fetch_optional(tx)
    .await?)
}

impl Row {
    /// The next slice: what is wanted, or half of what nobody holds when that is less, or the rest when
    /// that is little.
    fn cut(&self, under_way: Amount, want: Amount) -> Amount {
        let tokens_left = [
            self.budget_tokens.map(|bound| bound - self.tokens - self.other_tokens),
            self.key_left,
        ];
        let tokens_left = tokens_left.into_iter().flatten().min();
        Amount {
            tokens: tokens_left.map_or(u64::MAX, |left| {
                let left = from_sql(left.saturating_sub(to_sql(under_way.tokens)));
                left.div_ceil(2).max(left.min(want.tokens / SMALL_PART)).min(want.tokens.max(1))
            }),
            usd: self.budget_usd.map_or(f64::INFINITY, |bound| {
                let left = (bound - self.usd - self.other_usd - under_way.usd).max(0.0);
                (left / 2.0)
                    .max(left.min(want.usd / SMALL_PART as f64))
                    .min(want.usd.max(f64::MIN_POSITIVE))
            }),
            // While one more is allowed, everybody may try: each is over it by what it has under way.
            failures: self.budget_failures.map_or(u64::MAX, |bound| {
                let nobodys = from_sql(bound - self.failures - self.other_failures);
                let least = u64::from(self.failures < bound);
                nobodys.div_ceil(2).min(want.failures).max(least)
            }),
        }
    }

    /// What of a slice is to be noted: bounds that there are.
    fn held(&self, slice: Amount) -> Amount {
        let bounds_tokens = self.budget_tokens.is_some() || self.key_left.is_some();
        Amount {
            tokens: if bounds_tokens { slice.tokens } else { 0 },
            usd: self.budget_usd.map_or(0.0, |_| slice.usd),
            failures: self.budget_failures.map_or(0, |_| slice.failures),
        }
    }

    /// What was used up, for people.
    fn message(&self) -> String {
        let mut parts = Vec::new();
        if let Some(bound) = self.budget_tokens.filter(|&bound| self.tokens >= bound) {
            parts.push(format!("{} of {bound} tokens are used", self.tokens));
        }
        if let Some(bound) = self.budget_usd.filter(|&bound| self.usd >= bound) {
            parts.push(format!("{:.4} of {bound} dollars are spent", self.usd));
        }
        if let Some(bound) = self.budget_failures.filter(|&bound| self.failures >= bound) {
            parts.push(format!("{} of at most {bound} prompts failed", self.failures));
        }
        parts.join(", ")
    }
}

async fn keep(
    tx: &mut PgConnection,
    job: Uuid,
    worker: Uuid,
    under_way: Amount,
    held: &Amount,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO budget_slices (job_id, worker, tokens, usd, failures, under_way_tokens, under_way_usd, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + make_interval(secs => $8))
         ON CONFLICT (job_id, worker) DO UPDATE SET tokens = excluded.tokens, usd = excluded.usd,
            failures = excluded.failures, under_way_tokens = excluded.under_way_tokens,
            under_way_usd = excluded.under_way_usd, expires_at = excluded.expires_at",
    )
    .bind(job)
    .bind(worker)
    .bind(to_sql(under_way.tokens.saturating_add(held.tokens)))
    .bind(under_way.usd + held.usd)
    .bind(to_sql(held.failures))
    .bind(to_sql(under_way.tokens))
    .bind(under_way.usd)
    .bind(LEASE_SECONDS as f64)
    .execute(tx)
    .await?;
    Ok(())
}

/// Pauses a job whose budget is spent, for good or until nothing of it is leased any more; true when
/// it was running.
async fn stop(tx: &mut PgConnection, job: Uuid, row: &Row) -> Result<bool, DbError> {
    let state = jobs::parse_state(&row.state)?;
    if !matches!(state, JobState::Queued | JobState::Running) {
        return Ok(false);
    }
    let locked = lock(tx, job).await?;
    // It has nothing left to send, so there is nothing to stop.
    if locked.folded + row.open_ended >= locked.total {
        return Ok(false);
    }
    let message = row.message();
    enter(tx, job, state, JobState::Paused, Some((BUDGET_SPENT, &message))).await?;
    if row.budget_then == "finish" {
        sqlx::query("UPDATE jobs SET finishing = true WHERE id = $1")
            .bind(job)
            .execute(&mut *tx)
            .await?;
        settle(tx, job).await?;
    }
    Ok(true)
}
