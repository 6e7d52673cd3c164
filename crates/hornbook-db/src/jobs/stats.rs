//! Counts of a job's documents: sums over done chunks, plus what the open ones hold.

use hornbook_types::{Cell, EndpointUsage, ErrorCount, Slug, UsageTotals, Verdict};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Pace, Point, Tally};
use crate::convert::{from_sql, name};
use crate::{Db, DbError, limits};

/// How a job's prompts stand and what they used.
pub async fn counts(db: &Db, id: Uuid) -> Result<Tally, DbError> {
    let job = super::get(db, id).await?;
    Ok(Tally { counts: job.counts, usage: job.usage, usd: job.usd })
}

/// Cells of done chunks, and those in the JSON of open ones.
const CELLS: &str = "SELECT audience, format, verdict, reason, sum(count)::bigint AS count, sum(tokens)::bigint AS tokens
   FROM (SELECT audience, format, verdict, reason, count, tokens FROM job_cells WHERE job_id = $1
         UNION ALL
         SELECT split_part(e.key, ' ', 1), split_part(e.key, ' ', 2), split_part(e.key, ' ', 3),
                array_to_string((string_to_array(e.key, ' '))[4:], ' '),
                (e.value ->> 0)::bigint, (e.value ->> 1)::bigint
           FROM job_chunks AS c CROSS JOIN LATERAL jsonb_each(c.cells) AS e
          WHERE c.job_id = $1 AND c.state <> 'done') AS every
  GROUP BY audience, format, verdict, reason HAVING sum(count) > 0";

#[derive(sqlx::FromRow)]
struct CellRow {
    audience: String,
    format: String,
    verdict: String,
    reason: String,
    count: i64,
    tokens: i64,
}

/// Documents by audience, format, verdict and reason.
pub async fn cells(db: &Db, id: Uuid) -> Result<Vec<Cell>, DbError> {
    let rows: Vec<CellRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{CELLS} ORDER BY audience, format, verdict, reason"
    )))
    .bind(id)
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Cell {
                audience: name::<Slug>(&row.audience, "audience")?,
                format: name::<Slug>(&row.format, "format")?,
                verdict: Verdict::parse(&row.verdict)
                    .ok_or_else(|| DbError::Other("stored verdict is unknown".to_owned()))?,
                reason: row.reason,
                count: from_sql(row.count),
                tokens: from_sql(row.tokens),
            })
        })
        .collect()
}

/// The commonest errors of a job's failed prompts, each with one message as an example.
pub async fn errors(db: &Db, id: Uuid, limit: u32) -> Result<Vec<ErrorCount>, DbError> {
    let mut connection = db.pool().acquire().await?;
    errors_in(&mut connection, id, i64::from(limit)).await
}

pub(crate) async fn errors_in(
    tx: &mut PgConnection,
    id: Uuid,
    limit: i64,
) -> Result<Vec<ErrorCount>, DbError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT f.reason, coalesce(min(e.message), ''), sum(f.count)::bigint AS count
           FROM ({CELLS}) AS f LEFT JOIN job_errors AS e ON e.job_id = $1 AND e.code = f.reason
          WHERE f.verdict = 'failed' GROUP BY f.reason ORDER BY 3 DESC, 1 LIMIT $2"
    )))
    .bind(id)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(code, message, count)| ErrorCount { code, message, count: from_sql(count) })
        .collect())
}

/// What a job used at each endpoint so far, in the order of their names.
pub async fn endpoints(db: &Db, id: Uuid) -> Result<Vec<EndpointUsage>, DbError> {
    let rows: Vec<(String, i64, i64, i64, f64)> = sqlx::query_as(
        "SELECT u.endpoint, sum(u.documents)::bigint, sum(u.prompt)::bigint, sum(u.answer)::bigint, sum(u.usd)
           FROM (SELECT endpoint, documents, prompt_tokens AS prompt, completion_tokens AS answer, usd
                   FROM job_endpoints WHERE job_id = $1
                 UNION ALL
                 SELECT e.key, (e.value ->> 0)::bigint, (e.value ->> 1)::bigint, (e.value ->> 2)::bigint,
                        (e.value ->> 3)::float8
                   FROM job_chunks AS c CROSS JOIN LATERAL jsonb_each(c.endpoints) AS e
                  WHERE c.job_id = $1 AND c.state <> 'done') AS u
          GROUP BY u.endpoint HAVING sum(u.documents) > 0 OR sum(u.prompt + u.answer) > 0
          ORDER BY u.endpoint",
    )
    .bind(id)
    .fetch_all(db.pool())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(name, documents, prompt_tokens, completion_tokens, usd)| EndpointUsage {
            name,
            totals: UsageTotals {
                documents: from_sql(documents),
                prompt_tokens: from_sql(prompt_tokens),
                completion_tokens: from_sql(completion_tokens),
                usd,
            },
        })
        .collect())
}

#[derive(sqlx::FromRow)]
struct PointRow {
    at: OffsetDateTime,
    ended: i64,
    accepted: i64,
    completion_tokens: i64,
}

/// At most `points` points of a job's course, evenly picked from its progress events, oldest first.
pub async fn series(db: &Db, id: Uuid, points: u32) -> Result<Vec<Point>, DbError> {
    let rows: Vec<PointRow> = sqlx::query_as(
        "SELECT at,
                (data #>> '{counts,accepted}')::bigint + (data #>> '{counts,rejected}')::bigint
                    + (data #>> '{counts,failed}')::bigint AS ended,
                (data #>> '{counts,accepted}')::bigint AS accepted,
                (data #>> '{usage,completion_tokens}')::bigint AS completion_tokens
           FROM (SELECT DISTINCT ON (bucket) at, data FROM (
                     SELECT at, data, ntile($2) OVER (ORDER BY seq) AS bucket, seq FROM job_events
                      WHERE job_id = $1 AND kind = 'progress') AS tiled
                  ORDER BY bucket, seq DESC) AS picked
          ORDER BY at",
    )
    .bind(id)
    .bind(i32::try_from(points.clamp(1, limits::PAGE_ROWS)).unwrap_or(1))
    .fetch_all(db.pool())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Point {
            at: row.at,
            ended: from_sql(row.ended),
            accepted: from_sql(row.accepted),
            completion_tokens: from_sql(row.completion_tokens),
        })
        .collect())
}

/// How fast a job went over the last minute of its course; `None` before two points are known.
pub async fn pace(db: &Db, id: Uuid) -> Result<Option<Pace>, DbError> {
    let found: Option<(Option<f64>, Option<f64>, Option<f64>)> = sqlx::query_as(
        "WITH points AS (
             SELECT at, (data #>> '{counts,accepted}')::bigint + (data #>> '{counts,rejected}')::bigint
                        + (data #>> '{counts,failed}')::bigint AS ended,
                    (data #>> '{usage,completion_tokens}')::bigint AS tokens
               FROM job_events WHERE job_id = $1 AND kind = 'progress' AND at >= (
                   SELECT max(at) - make_interval(secs => $2) FROM job_events
                    WHERE job_id = $1 AND kind = 'progress')
         )
         SELECT extract(epoch FROM max(at) - min(at))::float8,
                (max(ended) - min(ended))::float8, (max(tokens) - min(tokens))::float8
           FROM points",
    )
    .bind(id)
    .bind(limits::PACE_SECONDS)
    .fetch_optional(db.pool())
    .await?;
    Ok(match found {
        Some((Some(seconds), Some(ended), Some(tokens))) if seconds > 0.0 => Some(Pace {
            documents_per_second: ended / seconds,
            tokens_per_second: tokens / seconds,
        }),
        _ => None,
    })
}
