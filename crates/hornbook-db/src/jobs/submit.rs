//! Submitting a job.

use hornbook_types::{Budget, PinnedJobSpec};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::convert::{from_sql, json, to_sql};
use crate::error::{Quota, QuotaExceeded};
use crate::{Db, DbError};

/// Stores a queued job of nobody in particular with its first event; `id` is a UUIDv7, by which
/// jobs are listed.
pub async fn submit(db: &Db, id: Uuid, spec: &PinnedJobSpec) -> Result<(), DbError> {
    submit_as(db, id, spec, None).await
}

/// The same for the holder of an API key, within that key's quotas.
pub async fn submit_as(
    db: &Db,
    id: Uuid,
    spec: &PinnedJobSpec,
    key: Option<&str>,
) -> Result<(), DbError> {
    submit_within(db, id, spec, &Budget::default(), key).await
}

/// The same with a bound on what the job may cost.
///
/// A quota that the job would exceed is [`DbError::Quota`], and nothing is stored. Jobs of one key
/// are submitted one after the other, so that two at once cannot both take what is left.
pub async fn submit_within(
    db: &Db,
    id: Uuid,
    spec: &PinnedJobSpec,
    budget: &Budget,
    key: Option<&str>,
) -> Result<(), DbError> {
    let quotas: Option<Vec<i64>> =
        spec.quotas().map(|lines| lines.into_iter().map(to_sql).collect());
    let line_accepted: Option<Vec<i64>> = quotas.as_ref().map(|lines| vec![0; lines.len()]);
    let endpoints: Vec<&str> = spec.endpoints.iter().map(|name| name.as_str()).collect();
    let mut tx = db.begin().await?;
    if let Some(key) = key {
        take_quota(&mut tx, key, spec.total).await?;
    }
    // It starts where the job that is furthest behind stands, so it neither waits for the others
    // to come to the same number of prompts nor keeps them waiting.
    sqlx::query(
        "INSERT INTO jobs (id, name, state, spec, endpoints, priority, total, weight, key_id,
                quotas, line_accepted, budget_tokens, budget_usd, budget_failures, budget_then,
                vtime, last_event)
         SELECT $1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                coalesce(min(o.vtime), 0), 1
           FROM jobs AS o WHERE o.state IN ('queued', 'running')",
    )
    .bind(id)
    .bind(&spec.name)
    .bind(json(spec))
    .bind(endpoints)
    .bind(spec.priority)
    .bind(to_sql(spec.total))
    .bind(spec.weight)
    .bind(key)
    .bind(quotas)
    .bind(line_accepted)
    .bind(budget.tokens.map(to_sql))
    .bind(budget.usd)
    .bind(budget.failures.map(to_sql))
    .bind(budget.then.as_str())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "WITH noted AS (
             INSERT INTO job_events (job_id, seq, at, kind, data)
             VALUES ($1, 1, clock_timestamp(), 'state', jsonb_build_object('to', 'queued'))
         )
         SELECT pg_notify($2, $1::text)",
    )
    .bind(id)
    .bind(crate::notifier::CHANNEL)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Standing {
    quota_running_jobs: Option<i64>,
    quota_prompts_per_day: Option<i64>,
    running: i64,
    prompts: i64,
    until_midnight: f64,
}

/// Checks a key's quotas under the lock on the key, and notes the prompts in its day.
async fn take_quota(tx: &mut PgConnection, key: &str, prompts: u64) -> Result<(), DbError> {
    sqlx::query("SELECT FROM api_keys WHERE id = $1 FOR NO KEY UPDATE")
        .bind(key)
        .execute(&mut *tx)
        .await?;
    // A statement of its own: it sees what whoever held the lock before has stored.
    let now: Standing = sqlx::query_as(
        "SELECT k.quota_running_jobs, k.quota_prompts_per_day,
                (SELECT count(*) FROM jobs AS j WHERE j.key_id = k.id
                    AND j.state IN ('queued', 'running', 'paused', 'cancelling', 'assembling')) AS running,
                coalesce((SELECT u.prompts FROM key_usage AS u WHERE u.key_id = k.id
                    AND u.day = (now() AT TIME ZONE 'UTC')::date), 0) AS prompts,
                extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day'
                    - now() AT TIME ZONE 'UTC')::float8 AS until_midnight
           FROM api_keys AS k WHERE k.id = $1",
    )
    .bind(key)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(DbError::NotFound("api key"))?;
    now.check(prompts)?;
    sqlx::query(
        "INSERT INTO key_usage AS u (key_id, day, prompts)
         VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2)
         ON CONFLICT (key_id, day) DO UPDATE SET prompts = u.prompts + excluded.prompts",
    )
    .bind(key)
    .bind(to_sql(prompts))
    .execute(tx)
    .await?;
    Ok(())
}

impl Standing {
    fn check(&self, prompts: u64) -> Result<(), DbError> {
        let (running, used) = (from_sql(self.running), from_sql(self.prompts));
        if let Some(limit) = self.quota_running_jobs.map(from_sql)
            && running >= limit
        {
            return Err(QuotaExceeded {
                quota: Quota::RunningJobs,
                limit,
                used: running,
                retry_after_seconds: None,
            }
            .into());
        }
        if let Some(limit) = self.quota_prompts_per_day.map(from_sql)
            && used.saturating_add(prompts) > limit
        {
            // A job larger than a whole day's prompts does not fit tomorrow either.
            let fits_tomorrow = prompts <= limit;
            return Err(QuotaExceeded {
                quota: Quota::PromptsPerDay,
                limit,
                used,
                retry_after_seconds: fits_tomorrow.then_some(self.until_midnight.ceil() as u64),
            }
            .into());
        }
        Ok(())
    }
}
