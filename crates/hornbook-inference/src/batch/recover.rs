//! Finding a batch of which it is not known whether it was made.

use super::Shared;
use super::api::Found;
use super::attend::Lost;
use super::limits::{MAKE_WAIT, UPLOAD_WAIT};
use super::waiting::{Key, Unanswered};
use crate::retry::is_retried;

/// The provider's name for a batch whose maker did not hear it; none where nobody waits any more.
///
/// A batch is only taken for never made when the whole list of the provider shows none, and its
/// maker has had the time to make it, or gave it up itself: to wait costs nothing, and to ask again
/// what was asked costs twice.
pub(super) async fn recover(shared: &Shared, key: &Key) -> Result<Option<String>, Lost> {
    let mut patience = shared.patience();
    loop {
        let awaited: Vec<_> = shared.desk.awaited(key).into_iter().collect();
        if awaited.is_empty() {
            return Ok(None);
        }
        let mut asked = None;
        match shared.journal.find(&awaited).await {
            Err(error) => tracing::warn!(error, "the journal of batches cannot be read"),
            Ok(rows) => match rows.into_iter().find(|row| *row.key == **key) {
                None => return Err(never_made()),
                Some(row) if row.batch_id.is_some() => {
                    if let Some(batch) = &row.batch_id {
                        shared.desk.name(key, batch);
                    }
                    return Ok(row.batch_id);
                }
                Some(row) => match shared.api.find(key, row.age).await {
                    Ok(Found::Batch(batch)) => {
                        shared.named(key, &batch).await;
                        return Ok(Some(batch));
                    }
                    Ok(Found::Absent) => {
                        let given_up = shared.journal.give_up(key, UPLOAD_WAIT, MAKE_WAIT).await;
                        match given_up {
                            Ok(true) => return Err(never_made()),
                            Ok(false) => {}
                            Err(error) => tracing::warn!(error, "cannot give up a batch"),
                        }
                    }
                    Ok(Found::Unknown) => {
                        tracing::warn!(key = &**key, "the list of batches is too long to search");
                    }
                    Err(error) if is_retried(error.class) => {
                        tracing::debug!(%error, "batches cannot be listed, will try again");
                        asked = error.retry_after;
                    }
                    Err(error) => return Err(Lost::Patience(error)),
                },
            },
        }
        shared.pause(patience.wait(asked)).await;
    }
}

fn never_made() -> Lost {
    Lost::Batch(Unanswered::again("batch_lost", "the batch was never made"))
}
