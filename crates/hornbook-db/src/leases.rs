//! Keeping leases alive, and hearing at the same time what became of their jobs.

use hornbook_types::JobState;
use hornbook_types::limits::LEASE_SECONDS;
use uuid::Uuid;

use crate::chunks::LeaseToken;
use crate::jobs;
use crate::{Db, DbError};

/// A lease that is still held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lease.
    pub token: LeaseToken,
    /// Its job.
    pub job_id: Uuid,
    /// Where the job stands: paused or cancelling means to send nothing more.
    pub state: JobState,
}

/// Extends the leases of `worker` and says which of them it still holds; the others are lost.
///
/// Costs one round trip however many leases there are, and notes that the worker is alive.
pub async fn heartbeat(db: &Db, worker: Uuid, tokens: &[LeaseToken]) -> Result<Vec<Held>, DbError> {
    let tokens: Vec<i64> = tokens.iter().map(|token| token.0).collect();
    let rows: Vec<(i64, Uuid, String)> = sqlx::query_as(
        "WITH alive AS (
             UPDATE workers SET heartbeat_at = clock_timestamp() WHERE id = $1
         ), held AS (
             UPDATE job_chunks SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
              WHERE lease_token = ANY($2) AND lease_owner = $1 AND state = 'leased'
                AND lease_expires_at > clock_timestamp()
             RETURNING lease_token, job_id
         )
         SELECT h.lease_token, h.job_id, j.state FROM held AS h JOIN jobs AS j ON j.id = h.job_id",
    )
    .bind(worker)
    .bind(tokens)
    .bind(LEASE_SECONDS as f64)
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|(token, job_id, state)| {
            Ok(Held { token: LeaseToken(token), job_id, state: jobs::parse_state(&state)? })
        })
        .collect()
}
