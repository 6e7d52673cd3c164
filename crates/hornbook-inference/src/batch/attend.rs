//! Looking after a batch: watching it until it ended, and seeing to its answers.

use std::collections::HashSet;
use std::sync::Arc;

use super::Shared;
use super::api::{Ended, Fault, Standing};
use super::desk::Leave;
use super::journal::RequestId;
use super::limits::{BROKEN_READINGS, GRACE, READINGS, REJOIN, UNKNOWN_LOOKS};
use super::make::{QUEUE_FULL, no_room};
use super::recover::recover;
use super::results::{Reading, lost, read};
use super::waiting::{Key, Unanswered};
use crate::limited::is_never_sent;
use crate::retry::{classify_status, is_retried};
use crate::{CompletionError, ErrorClass};

/// Looks after the batch until nobody waits for it, unless somebody else does already.
pub(super) fn attend(shared: &Arc<Shared>, key: Key) {
    if !shared.desk.attend(&key) {
        return;
    }
    let attending = Arc::clone(shared);
    shared.spawn(async move { look_after(&attending, &key).await });
}

/// The same, for whoever has the batch in hand already.
pub(super) async fn look_after(shared: &Shared, key: &Key) {
    loop {
        // Whoever asks for an old batch seldom comes alone.
        shared.pause(REJOIN.min(shared.linger)).await;
        match serve(shared, key).await {
            Ok(()) => {}
            Err(Lost::Batch(why)) => return shared.drop_batch(key, &why).await,
            Err(Lost::Queue { count, error }) => return no_room(shared, key, count, error).await,
            Err(Lost::Patience(error)) => shared.put_off(key, error),
        }
        match shared.desk.leave(key) {
            Leave::Stay => {}
            Leave::Left => return,
            Leave::Spent => break,
        }
    }
    shared.pause(GRACE).await;
    shared.forget(key).await;
}

/// Why those who wait get no answer from a batch.
pub(super) enum Lost {
    /// The batch is no more, or never was: they ask again, in another.
    Batch(Unanswered),
    /// The account's queue had no room for that many requests.
    Queue { count: usize, error: CompletionError },
    /// Only a person can help: they ask again, and find it here.
    Patience(CompletionError),
}

async fn serve(shared: &Shared, key: &Key) -> Result<(), Lost> {
    let batch = match shared.desk.batch_id(key) {
        Some(batch) => batch,
        None => match recover(shared, key).await? {
            Some(batch) => batch,
            None => return Ok(()),
        },
    };
    let mut patience = shared.patience();
    let (mut unknown, mut readings, mut broken) = (0, 0, 0);
    loop {
        if shared.desk.awaited(key).is_empty() {
            return Ok(());
        }
        let mut asked = None;
        match shared.api.look(&batch).await {
            Ok(Standing::Open) => unknown = 0,
            Ok(Standing::Failed { faults, file }) => {
                if let Some(file) = file {
                    shared.delete(&file).await;
                }
                return Err(failed(shared, key, &faults));
            }
            Ok(Standing::Ended(ended)) => {
                let awaited = shared.desk.awaited(key);
                match read(shared, &ended.files).await {
                    Ok(reading) => {
                        readings += 1;
                        if settle(shared, key, &ended, &awaited, &reading, readings >= READINGS) {
                            tracing::info!(batch, status = ended.status, "batch ended");
                            shared.desk.queue_took();
                            return Ok(());
                        }
                    }
                    Err(error) => {
                        asked = error.retry_after;
                        broken += u32::from(!is_out_of_reach(&error));
                        unreadable(shared, &awaited, error, broken)?;
                    }
                }
            }
            Err(error) if error.code == "http_404" => {
                unknown += 1;
                if unknown >= UNKNOWN_LOOKS {
                    return Err(Lost::Batch(batch_lost()));
                }
            }
            Err(error) if is_retried(error.class) => {
                tracing::debug!(batch, %error, "a batch cannot be looked at, will try again");
                asked = error.retry_after;
            }
            Err(error) => return Err(Lost::Patience(error)),
        }
        shared.pause(patience.wait(asked)).await;
    }
}

fn batch_lost() -> Unanswered {
    let message = "the provider knows no such batch";
    CompletionError::new(ErrorClass::Transient, "batch_lost", message).into()
}

/// True for errors that say nothing of the file that was read.
fn is_out_of_reach(error: &CompletionError) -> bool {
    error.class == ErrorClass::Throttled
        || is_never_sent(error.code)
        || error.code == "timeout"
        || error.code.starts_with("http_5")
}

/// Sees to those whose answers were not in the files; false where another reading may have them.
///
/// Of a batch that was completed every request was run, and one that is missing was paid for: it
/// fails by name. Of one that ended half way those that are missing were not run.
fn settle(
    shared: &Shared,
    key: &Key,
    ended: &Ended,
    awaited: &HashSet<RequestId>,
    reading: &Reading,
    is_last: bool,
) -> bool {
    let still = shared.desk.awaited(key);
    let missing: Vec<RequestId> = awaited.intersection(&still).copied().collect();
    let is_complete = ended.status == "completed";
    if !missing.is_empty() && !is_last && (is_complete || reading.is_cut) {
        return false;
    }
    let are_paid = is_complete || ended.has_bad_file || missing.len() <= reading.nameless;
    for id in missing {
        let error = match are_paid {
            true => lost(shared, id, "batch_answer_missing", "no result file has this answer"),
            false => {
                let message = "the batch ended without this answer";
                CompletionError::new(ErrorClass::Transient, word(&ended.status), message)
            }
        };
        shared.desk.answer(id, Err(error));
    }
    true
}

/// A result file could not be read; `Ok` where another try may help.
fn unreadable(
    shared: &Shared,
    awaited: &HashSet<RequestId>,
    error: CompletionError,
    broken: u32,
) -> Result<(), Lost> {
    let is_gone = error.code == "http_404" || error.class == ErrorClass::Permanent;
    if is_gone {
        if broken >= READINGS {
            for id in awaited {
                let gone = lost(shared, *id, "batch_output_lost", &error.message);
                shared.desk.answer(*id, Err(gone));
            }
        }
        return Ok(());
    }
    if !is_retried(error.class) {
        return Err(Lost::Patience(error));
    }
    if broken >= BROKEN_READINGS {
        let class = ErrorClass::Endpoint;
        return Err(Lost::Patience(CompletionError {
            class,
            code: "batch_output_unreadable",
            ..error
        }));
    }
    tracing::debug!(%error, "a result file broke off, will read it again");
    Ok(())
}

/// The code of a request that was not run, by how its batch ended.
pub(super) fn word(status: &str) -> &'static str {
    match status {
        "expired" => "batch_expired",
        "cancelled" => "batch_cancelled",
        _ => "batch_not_run",
    }
}

/// A batch of which nothing was run: the lines at fault end, the others are asked again.
fn failed(shared: &Shared, key: &Key, faults: &[Fault]) -> Lost {
    let asked = shared.api.asked(0);
    let order = shared.desk.order(key);
    let Some(Fault { word, message, .. }) = faults.first() else {
        let message = "the provider refused the batch";
        let error = CompletionError::new(ErrorClass::Transient, "batch_failed", message);
        return Lost::Batch(error.into());
    };
    let by_word = classify_status(400, &[word], message).filter(|row| row.1 != "http_400");
    if let Some(row) = by_word {
        let error = asked.error(row, message);
        let count = order.len().max(shared.desk.awaited(key).len());
        return match row.1 {
            QUEUE_FULL => Lost::Queue { count, error },
            _ => Lost::Batch(error.into()),
        };
    }
    let lines: HashSet<u64> = faults.iter().filter_map(|fault| fault.line).collect();
    let told = format!("{word}: {message}");
    if lines.is_empty() {
        // Nothing says that another try would end in another way: a person has to look.
        return Lost::Batch(asked.error((ErrorClass::Endpoint, "batch_failed"), &told).into());
    }
    let mut is_mended = false;
    for line in lines {
        let at = usize::try_from(line.saturating_sub(1)).ok();
        if let Some(id) = at.and_then(|at| order.get(at)) {
            let error = asked.error((ErrorClass::Permanent, "batch_line_refused"), &told);
            shared.desk.answer(*id, Err(error));
            is_mended = true;
        }
    }
    let again = Unanswered::again("batch_failed", "another line of the batch was refused");
    // Each round ends at least one line, so that there is a last one.
    Lost::Batch(Unanswered { is_free: is_mended, ..again })
}
