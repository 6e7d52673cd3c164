//! Submitting a job.

use hornbook_types::PinnedJobSpec;
use uuid::Uuid;

use crate::convert::{json, to_sql};
use crate::{Db, DbError};

/// Stores a queued job with its first event; `id` is a UUIDv7, by which jobs are listed.
pub async fn submit(db: &Db, id: Uuid, spec: &PinnedJobSpec) -> Result<(), DbError> {
    let endpoints: Vec<&str> = spec.endpoints.iter().map(|name| name.as_str()).collect();
    let mut tx = db.begin().await?;
    sqlx::query(
        "INSERT INTO jobs (id, name, state, spec, endpoints, priority, total, last_event)
         VALUES ($1, $2, 'queued', $3, $4, $5, $6, 1)",
    )
    .bind(id)
    .bind(&spec.name)
    .bind(json(spec))
    .bind(endpoints)
    .bind(spec.priority)
    .bind(to_sql(spec.total))
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
