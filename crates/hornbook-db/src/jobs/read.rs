//! Looking at jobs.

use hornbook_types::{Budget, BudgetEnd, Counts, JobState, PinnedJobSpec, QuotaProgress, Usage};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::transition::parse_state;
use super::{Job, JobError};
use crate::convert::{from_sql, page_rows};
use crate::{Db, DbError};

/// One job with live counts: those of done chunks from its row, and what its open chunks hold.
const SELECT: &str = "SELECT j.id, j.name, j.state, j.priority, j.weight, j.endpoints, j.total,
        j.accepted + o.accepted AS accepted, j.rejected + o.rejected AS rejected,
        j.failed + o.failed AS failed, o.running,
        j.prompt_tokens + o.prompt_tokens AS prompt_tokens,
        j.completion_tokens + o.completion_tokens AS completion_tokens,
        j.cached_tokens + o.cached_tokens AS cached_tokens, j.usd + o.usd AS usd,
        j.skipped, q.surplus, q.wanted, q.met + o.accepted AS met,
        j.budget_tokens, j.budget_usd, j.budget_failures, j.budget_then,
        j.error_code, j.error_message, j.created_at, j.started_at, j.finished_at,
        j.last_event AS revision, k.commit_id AS corpus,
        j.assembly_request > j.assembly_done AS assembly_pending
   FROM jobs AS j
   LEFT JOIN corpora AS k ON k.id = j.corpus_id
  CROSS JOIN LATERAL (
        SELECT coalesce(sum(c.accepted), 0)::bigint AS accepted,
               coalesce(sum(c.rejected), 0)::bigint AS rejected,
               coalesce(sum(c.failed), 0)::bigint AS failed,
               coalesce(sum(c.hi - c.lo - c.accepted - c.rejected - c.failed)
                   FILTER (WHERE c.state = 'leased' AND c.lease_expires_at > clock_timestamp()), 0)::bigint AS running,
               coalesce(sum(c.prompt_tokens), 0)::bigint AS prompt_tokens,
               coalesce(sum(c.completion_tokens), 0)::bigint AS completion_tokens,
               coalesce(sum(c.cached_tokens), 0)::bigint AS cached_tokens,
               coalesce(sum(c.usd), 0) AS usd
          FROM job_chunks AS c WHERE c.job_id = j.id AND c.state <> 'done') AS o
  CROSS JOIN LATERAL (
        SELECT coalesce(sum(greatest(u.a - u.q, 0)), 0)::bigint AS surplus, sum(u.q)::bigint AS wanted,
               sum(least(u.a, u.q))::bigint AS met
          FROM unnest(j.quotas, j.line_accepted) AS u (q, a)) AS q
  WHERE j.deleting_at IS NULL";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    name: String,
    state: String,
    priority: i32,
    weight: f64,
    endpoints: Vec<String>,
    total: i64,
    accepted: i64,
    rejected: i64,
    failed: i64,
    running: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cached_tokens: i64,
    usd: f64,
    skipped: i64,
    surplus: i64,
    wanted: Option<i64>,
    met: Option<i64>,
    budget_tokens: Option<i64>,
    budget_usd: Option<f64>,
    budget_failures: Option<i64>,
    budget_then: String,
    error_code: Option<String>,
    error_message: Option<String>,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    revision: i64,
    corpus: Option<String>,
    assembly_pending: bool,
}

impl Row {
    fn into_job(self) -> Result<Job, DbError> {
        Ok(Job {
            id: self.id,
            name: self.name,
            state: parse_state(&self.state)?,
            priority: self.priority,
            weight: self.weight,
            endpoints: self.endpoints,
            counts: Counts {
                total: from_sql(self.total),
                accepted: from_sql(self.accepted),
                rejected: from_sql(self.rejected),
                failed: from_sql(self.failed),
                running: from_sql(self.running),
                skipped: from_sql(self.skipped),
                surplus: from_sql(self.surplus),
            },
            quota: self.wanted.map(|wanted| QuotaProgress {
                wanted: from_sql(wanted),
                met: from_sql(self.met.unwrap_or_default().min(wanted)),
            }),
            budget: Budget {
                tokens: self.budget_tokens.map(from_sql),
                usd: self.budget_usd,
                failures: self.budget_failures.map(from_sql),
                then: BudgetEnd::parse(&self.budget_then)
                    .ok_or_else(|| DbError::Other("stored budget end is unknown".to_owned()))?,
            },
            usage: Usage {
                prompt_tokens: from_sql(self.prompt_tokens),
                completion_tokens: from_sql(self.completion_tokens),
                cached_tokens: from_sql(self.cached_tokens),
            },
            usd: self.usd,
            error: self
                .error_code
                .map(|code| JobError { code, message: self.error_message.unwrap_or_default() }),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            revision: self.revision,
            corpus: self.corpus,
            assembly_pending: self.assembly_pending,
        })
    }
}

/// One job.
pub async fn get(db: &Db, id: Uuid) -> Result<Job, DbError> {
    get_in(db.pool(), id).await
}

pub(crate) async fn get_in(executor: impl sqlx::PgExecutor<'_>, id: Uuid) -> Result<Job, DbError> {
    sqlx::query_as::<_, Row>(AssertSqlSafe(format!("{SELECT} AND j.id = $1")))
        .bind(id)
        .fetch_optional(executor)
        .await?
        .ok_or(DbError::NotFound("job"))?
        .into_job()
}

/// Jobs, newest first; `before` is the id that the previous page ended with.
pub async fn list(
    db: &Db,
    before: Option<Uuid>,
    state: Option<JobState>,
    limit: u32,
) -> Result<Vec<Job>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "{SELECT} AND ($1::uuid IS NULL OR j.id < $1) AND ($2::text IS NULL OR j.state = $2)
          ORDER BY j.id DESC LIMIT $3"
    )))
    .bind(before)
    .bind(state.map(JobState::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_job).collect()
}

/// The pinned spec that a job's prompts are a function of.
pub async fn spec(db: &Db, id: Uuid) -> Result<PinnedJobSpec, DbError> {
    let spec: Json<PinnedJobSpec> =
        sqlx::query_scalar("SELECT spec FROM jobs WHERE id = $1 AND deleting_at IS NULL")
            .bind(id)
            .fetch_optional(db.pool())
            .await?
            .ok_or(DbError::NotFound("job"))?;
    Ok(spec.0)
}

/// Where a job stands, and the number of its newest event.
pub async fn state(db: &Db, id: Uuid) -> Result<(JobState, i64), DbError> {
    let (state, revision): (String, i64) =
        sqlx::query_as("SELECT state, last_event FROM jobs WHERE id = $1 AND deleting_at IS NULL")
            .bind(id)
            .fetch_optional(db.pool())
            .await?
            .ok_or(DbError::NotFound("job"))?;
    Ok((parse_state(&state)?, revision))
}

/// True when some job wants prompts sent that these endpoints may serve.
pub async fn runnable(db: &Db, endpoints: &[String]) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM jobs
                         WHERE state IN ('queued', 'running') AND endpoints && $1)",
    )
    .bind(endpoints)
    .fetch_one(db.pool())
    .await?)
}
