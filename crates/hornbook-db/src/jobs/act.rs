//! What a user may ask of a job, and failing one.

use hornbook_types::{JobAction, JobState};
use uuid::Uuid;

use super::settle::want_partial;
use super::{Job, enter, lock, settle};
use crate::{Conflict, Db, DbError, budgets};

/// Sends nothing more until resumed; what is in flight finishes and is stored.
pub async fn pause(db: &Db, id: Uuid) -> Result<Job, DbError> {
    change(db, id, JobAction::Pause).await
}

/// Goes on where it was paused.
pub async fn resume(db: &Db, id: Uuid) -> Result<Job, DbError> {
    change(db, id, JobAction::Resume).await
}

/// Ends it for good once no worker holds prompts of it; what is done is kept.
pub async fn cancel(db: &Db, id: Uuid) -> Result<Job, DbError> {
    change(db, id, JobAction::Cancel).await
}

/// Does any action but `retry` with chosen codes: all of them as a user would ask them without details.
pub async fn act(db: &Db, id: Uuid, action: JobAction) -> Result<Job, DbError> {
    match action {
        JobAction::Pause | JobAction::Resume | JobAction::Cancel => change(db, id, action).await,
        JobAction::Retry => {
            super::retry(db, id, None).await?;
            super::get(db, id).await
        }
        JobAction::Delete => {
            let job = super::get(db, id).await?;
            super::delete(db, id).await?;
            Ok(job)
        }
    }
}

async fn change(db: &Db, id: Uuid, action: JobAction) -> Result<Job, DbError> {
    let mut tx = db.begin().await?;
    let job = lock(&mut tx, id).await?;
    if job.deleting {
        return Err(DbError::NotFound("job"));
    }
    if !action.is_done_in(job.state) {
        if !job.state.allowed().contains(&action) {
            return Err(Conflict::State { found: job.state, action }.into());
        }
        let has_more = job.folded < job.total;
        if action == JobAction::Resume && has_more && budgets::is_spent(&mut tx, id).await? {
            return Err(Conflict::BudgetSpent { found: job.state }.into());
        }
        let to = match action {
            JobAction::Pause => JobState::Paused,
            JobAction::Cancel => JobState::Cancelling,
            _ if job.started => JobState::Running,
            _ => JobState::Queued,
        };
        enter(&mut tx, id, job.state, to, None).await?;
        // The last prompts may have ended while it was paused, and a job without leases is cancelled at once.
        settle(&mut tx, id).await?;
    }
    tx.commit().await?;
    super::get(db, id).await
}

/// Ends an unended job as failed; documents accepted so far are assembled as a partial corpus.
///
/// False when it had ended, or is being cancelled or assembled, so that there is nothing to fail.
pub async fn fail(db: &Db, id: Uuid, code: &str, message: &str) -> Result<bool, DbError> {
    let mut tx = db.begin().await?;
    let job = lock(&mut tx, id).await?;
    if !matches!(job.state, JobState::Queued | JobState::Running | JobState::Paused) {
        return Ok(false);
    }
    enter(&mut tx, id, job.state, JobState::Failed, Some((code, message))).await?;
    want_partial(&mut tx, id).await?;
    tx.commit().await?;
    Ok(true)
}
