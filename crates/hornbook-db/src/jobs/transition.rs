//! The one way from state to state.

use hornbook_types::JobState;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Conflict, DbError};

/// A job under lock.
#[derive(Clone, Debug)]
pub(crate) struct Locked {
    pub(crate) id: Uuid,
    pub(crate) state: JobState,
    pub(crate) started: bool,
    pub(crate) deleting: bool,
    /// Prompts that ended in chunks that are done, or need no document.
    pub(crate) folded: i64,
    pub(crate) failed: i64,
    pub(crate) skipped: i64,
    pub(crate) total: i64,
    pub(crate) next_seq: i64,
    pub(crate) error_code: Option<String>,
    /// Its budget is spent, and it is to be assembled when nothing of it is leased any more.
    pub(crate) finishing: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    state: String,
    started: bool,
    deleting: bool,
    folded: i64,
    failed: i64,
    skipped: i64,
    total: i64,
    next_seq: i64,
    error_code: Option<String>,
    finishing: bool,
}

/// Locks a job's row until the transaction ends.
pub(crate) async fn lock(tx: &mut PgConnection, id: Uuid) -> Result<Locked, DbError> {
    let row: Row = sqlx::query_as(
        "SELECT state, started_at IS NOT NULL AS started, deleting_at IS NOT NULL AS deleting,
                accepted + rejected + failed + skipped AS folded, failed, skipped, total, next_seq,
                error_code, finishing
           FROM jobs WHERE id = $1 FOR NO KEY UPDATE",
    )
    .bind(id)
    .fetch_optional(tx)
    .await?
    .ok_or(DbError::NotFound("job"))?;
    Ok(Locked {
        id,
        state: parse_state(&row.state)?,
        started: row.started,
        deleting: row.deleting,
        folded: row.folded,
        failed: row.failed,
        skipped: row.skipped,
        total: row.total,
        next_seq: row.next_seq,
        error_code: row.error_code,
        finishing: row.finishing,
    })
}

/// Moves a job that is in `from` to `to` and writes the event; a failure's code and message go along.
///
/// Times follow from the states alone: started with the first `running`, finished while ended.
pub(crate) async fn enter(
    tx: &mut PgConnection,
    id: Uuid,
    from: JobState,
    to: JobState,
    error: Option<(&str, &str)>,
) -> Result<(), DbError> {
    let (code, message) = error.unzip();
    let moved = sqlx::query(
        "WITH moved AS (
             UPDATE jobs SET state = $3, last_event = last_event + 1,
                    started_at = CASE WHEN $3 = 'running' THEN coalesce(started_at, now()) ELSE started_at END,
                    finished_at = CASE WHEN $4 THEN now() END,
                    error_code = $5, error_message = $6, finishing = finishing AND $3 = 'paused',
                    assembly_spec = CASE WHEN $3 = 'assembling' THEN NULL ELSE assembly_spec END,
                    assembly_request = assembly_request + CASE WHEN $3 = 'assembling' THEN 1 ELSE 0 END,
                    assembly_deaths = CASE WHEN $3 = 'assembling' THEN 0 ELSE assembly_deaths END
              WHERE id = $1 AND state = $2 RETURNING last_event
         ), noted AS (
             INSERT INTO job_events (job_id, seq, at, kind, data)
             SELECT $1, last_event, clock_timestamp(), 'state',
                    jsonb_strip_nulls(jsonb_build_object('from', $2, 'to', $3, 'code', $5, 'message', $6))
               FROM moved
         )
         SELECT pg_notify($7, $1::text) FROM moved",
    )
    .bind(id)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(to.has_ended())
    .bind(code)
    .bind(message)
    .bind(crate::notifier::CHANNEL)
    .execute(tx)
    .await?;
    match moved.rows_affected() {
        1 => Ok(()),
        _ => Err(Conflict::Unready { found: from }.into()),
    }
}

pub(crate) fn parse_state(name: &str) -> Result<JobState, DbError> {
    JobState::parse(name).ok_or_else(|| DbError::Other("stored job state is unknown".to_owned()))
}
