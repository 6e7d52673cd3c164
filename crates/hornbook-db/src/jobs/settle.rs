//! Moving a job on when its prompts have ended.

use hornbook_types::JobState;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{EVERY_PROMPT_FAILED, Locked, enter, lock, stats, summarise};
use crate::{DbError, limits};

/// Moves a job on by what its chunks say, if anything follows from it; gives the state it is in then.
///
/// Takes the lock on the job, so the caller must not hold one on a chunk of it.
/// - `queued`, `running`, or `paused` for its budget alone, with every prompt ended: `assembling`, or
///   `failed` when each of them failed.
/// - `paused` to be finished, with no lease left: `assembling`.
/// - `cancelling` with no lease left: `cancelled`, and what was accepted is assembled.
pub(crate) async fn settle(tx: &mut PgConnection, id: Uuid) -> Result<JobState, DbError> {
    let job = lock(tx, id).await?;
    match job.state {
        JobState::Queued | JobState::Running | JobState::Paused if job.has_run_out() => {
            if job.failed < job.total - job.skipped {
                enter(tx, id, job.state, JobState::Assembling, None).await?;
                return Ok(JobState::Assembling);
            }
            let errors = stats::errors_in(tx, id, limits::TOP_ERRORS).await?;
            let message = summarise(&errors);
            let error = Some((EVERY_PROMPT_FAILED, message.as_str()));
            enter(tx, id, job.state, JobState::Failed, error).await?;
            Ok(JobState::Failed)
        }
        JobState::Paused if job.finishing && !has_leases(tx, id).await? => {
            let error: Option<(String, String)> = sqlx::query_as(
                "SELECT error_code, error_message FROM jobs
                  WHERE id = $1 AND error_code IS NOT NULL AND error_message IS NOT NULL",
            )
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
            let error = error.as_ref().map(|(code, message)| (code.as_str(), message.as_str()));
            enter(tx, id, job.state, JobState::Assembling, error).await?;
            Ok(JobState::Assembling)
        }
        JobState::Cancelling if !has_leases(tx, id).await? => {
            enter(tx, id, job.state, JobState::Cancelled, None).await?;
            want_partial(tx, id).await?;
            Ok(JobState::Cancelled)
        }
        state => Ok(state),
    }
}

impl Locked {
    /// True when every prompt has ended and nobody asked it to wait.
    ///
    /// The budget stops sending, and there is nothing left to send.
    fn has_run_out(&self) -> bool {
        let waits = self.state == JobState::Paused
            && self.error_code.as_deref() != Some(super::BUDGET_SPENT);
        self.folded >= self.total && !waits
    }
}

async fn has_leases(tx: &mut PgConnection, id: Uuid) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM job_chunks
                         WHERE job_id = $1 AND state = 'leased' AND lease_expires_at > clock_timestamp())",
    )
    .bind(id)
    .fetch_one(tx)
    .await?)
}

/// Asks for an assembly of a job that ended early, if any document of it was accepted.
pub(crate) async fn want_partial(tx: &mut PgConnection, id: Uuid) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE jobs SET assembly_request = assembly_request + 1, assembly_spec = NULL, assembly_deaths = 0
          WHERE id = $1 AND accepted + (SELECT coalesce(sum(c.accepted), 0) FROM job_chunks AS c
                                         WHERE c.job_id = $1 AND c.state <> 'done') > 0",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}
