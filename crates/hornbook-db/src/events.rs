//! What happened to a job: one stored sequence per job, numbered from 1 without gaps.
//!
//! A number is drawn under the lock on the job's row and becomes visible with the transaction that
//! drew it, so whoever has read up to a number has missed none below it.

use hornbook_types::{EventKind, JobEvent};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::page_rows;
use crate::{Db, DbError, jobs, limits};

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: OffsetDateTime,
    kind: String,
    data: Json<Value>,
}

/// Up to `limit` events with numbers above `after`, in order.
pub async fn list(db: &Db, job: Uuid, after: i64, limit: u32) -> Result<Vec<JobEvent>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT seq, at, kind, data FROM job_events WHERE job_id = $1 AND seq > $2
          ORDER BY seq LIMIT $3",
    )
    .bind(job)
    .bind(after)
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = [EventKind::State, EventKind::Progress, EventKind::Warning]
                .into_iter()
                .find(|kind| kind.as_str() == row.kind)
                .ok_or_else(|| DbError::Other("stored event kind is unknown".to_owned()))?;
            Ok(JobEvent { seq: row.seq, at: row.at, kind, data: row.data.0 })
        })
        .collect()
}

/// Notes something that a person should know about a job.
pub async fn warning(db: &Db, job: Uuid, code: &str, message: &str) -> Result<(), DbError> {
    let mut tx = db.begin().await?;
    append(&mut tx, job, EventKind::Warning, json!({ "code": code, "message": message })).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes the same, unless a job was told so and has gone no further since; true when it was written.
pub async fn warn_once(db: &Db, job: Uuid, code: &str, message: &str) -> Result<bool, DbError> {
    let mut tx = db.begin().await?;
    // Under the lock on the row, so that of two who noticed only one tells.
    sqlx::query("SELECT FROM jobs WHERE id = $1 FOR UPDATE").bind(job).execute(&mut *tx).await?;
    let was_told: Option<bool> = sqlx::query_scalar(
        "SELECT kind = $2 FROM job_events
          WHERE job_id = $1 AND (kind <> $2 OR data->>'code' = $3)
          ORDER BY seq DESC LIMIT 1",
    )
    .bind(job)
    .bind(EventKind::Warning.as_str())
    .bind(code)
    .fetch_optional(&mut *tx)
    .await?;
    if was_told == Some(true) {
        return Ok(false);
    }
    append(&mut tx, job, EventKind::Warning, json!({ "code": code, "message": message })).await?;
    tx.commit().await?;
    Ok(true)
}

/// Notes a job's counts, if the last such note is old enough; true when it was written.
///
/// At most once a second, and ever more rarely in a long job, so call it after every commit.
pub async fn progress(db: &Db, job: Uuid) -> Result<bool, DbError> {
    let mut tx = db.begin().await?;
    let due = sqlx::query(
        "UPDATE jobs SET last_progress_at = clock_timestamp()
          WHERE id = $1 AND (last_progress_at IS NULL OR last_progress_at < clock_timestamp()
                - make_interval(secs => greatest($2, least($3, extract(epoch FROM
                      clock_timestamp() - coalesce(started_at, created_at))::float8 / $4))))",
    )
    .bind(job)
    .bind(limits::PROGRESS_SECONDS)
    .bind(limits::PROGRESS_SECONDS_MAX)
    .bind(limits::PROGRESS_AGE_SHARE)
    .execute(&mut *tx)
    .await?;
    if due.rows_affected() == 0 {
        return Ok(false);
    }
    let now = jobs::get_in(&mut *tx, job).await?;
    let data = json!({ "counts": now.counts, "usage": now.usage });
    append(&mut tx, job, EventKind::Progress, data).await?;
    tx.commit().await?;
    Ok(true)
}

/// Appends an event under the lock on the job's row and wakes whoever waits for it.
pub(crate) async fn append(
    tx: &mut PgConnection,
    job: Uuid,
    kind: EventKind,
    data: Value,
) -> Result<(), DbError> {
    let appended = sqlx::query(
        "WITH next AS (
             UPDATE jobs SET last_event = last_event + 1 WHERE id = $1 RETURNING last_event
         ), noted AS (
             INSERT INTO job_events (job_id, seq, at, kind, data)
             SELECT $1, last_event, clock_timestamp(), $2, $3 FROM next
         )
         SELECT pg_notify($4, $1::text) FROM next",
    )
    .bind(job)
    .bind(kind.as_str())
    .bind(Json(data))
    .bind(crate::notifier::CHANNEL)
    .execute(tx)
    .await?;
    DbError::expect_one(appended.rows_affected(), "job")
}
