//! Looking after a batch: watching it, and handing its answers to those who wait.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::Shared;
use super::api::Standing;
use super::desk::Key;
use super::journal::RequestId;
use super::limits::{DOWNLOADS, GRACE, POLL_CAP, REJOIN};
use crate::retry::{classify_status, is_retried};
use crate::{CompletionError, ErrorClass};

/// Looks after the batch until nobody waits for it, unless somebody else does already.
pub(super) fn attend(shared: &Arc<Shared>, key: Key) {
    if !shared.desk.attend(&key) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let closed = shared.closed.clone();
        tokio::select! {
            () = closed.cancelled() => {}
            () = look_after(&shared, &key) => {}
        }
    });
}

async fn look_after(shared: &Shared, key: &Key) {
    loop {
        // Whoever asks for an old batch seldom comes alone.
        shared.pause(REJOIN.min(shared.linger)).await;
        match serve(shared, key).await {
            Ok(()) => {}
            Err(Lost::Batch(error)) => {
                shared.abandon(key, &error).await;
                return;
            }
            Err(Lost::Patience(error)) => shared.desk.put_off(key, &error),
        }
        if !shared.desk.leave(key) {
            break;
        }
    }
    // A batch that others made may hold what they still want: the journal forgets it with its age.
    let is_ours = shared.desk.is_made_here(key);
    if is_ours && shared.desk.is_spent(key) {
        shared.pause(GRACE).await;
    }
    if shared.desk.drop_spent(key) && is_ours {
        shared.forget(key).await;
    }
}

/// Why those who wait get no answer from a batch.
enum Lost {
    /// The batch is no more, or never was: they ask again, in another.
    Batch(CompletionError),
    /// It cannot be reached at present, or nobody may: they ask again, and find it here.
    Patience(CompletionError),
}

async fn serve(shared: &Shared, key: &Key) -> Result<(), Lost> {
    let batch = match shared.desk.batch_id(key) {
        Some(batch) => batch,
        None => recover(shared, key).await?,
    };
    let mut wait = shared.poll;
    let standing = loop {
        match shared.api.look(&batch).await {
            Ok(Standing::Open) => {}
            Ok(standing) => break standing,
            Err(error) if error.code == "http_404" => {
                return Err(Lost::Batch(passing("batch_lost", "the provider knows no such batch")));
            }
            Err(error) if is_retried(error.class) => {
                tracing::debug!(batch, %error, "a batch cannot be looked at, will try again");
            }
            Err(error) => return Err(Lost::Patience(error)),
        }
        shared.pause(wait).await;
        wait = wait.mul_f64(1.5).min(POLL_CAP.max(shared.poll));
    };
    match standing {
        Standing::Open => Ok(()),
        Standing::Failed { faults } => Err(failed(shared, key, &faults)),
        Standing::Ended { status, files } => {
            tracing::info!(batch, status, "batch ended");
            deliver(shared, key, &status, &files).await
        }
    }
}

/// The provider's name for a batch whose maker did not live to hear it.
async fn recover(shared: &Shared, key: &Key) -> Result<String, Lost> {
    let never = || Lost::Batch(passing("batch_lost", "the batch was never made"));
    let batch = shared.api.find(key).await.map_err(Lost::Patience)?.ok_or_else(never)?;
    shared.named(key, &batch).await;
    Ok(batch)
}

/// Reads the files of a batch that ended, as often as it takes.
async fn deliver(shared: &Shared, key: &Key, status: &str, files: &[String]) -> Result<(), Lost> {
    let mut wait = shared.poll;
    for attempt in 1.. {
        let awaited = shared.desk.awaited(key);
        let Err(error) = hand_out(shared, files).await else {
            // In neither file: it was not run before the batch ended.
            let missing = passing(word(status), "the batch ended without this answer");
            for id in awaited.intersection(&shared.desk.awaited(key)) {
                shared.desk.answer(*id, &Err(missing.clone()));
            }
            return Ok(());
        };
        if !is_retried(error.class) || attempt >= DOWNLOADS {
            return Err(Lost::Patience(error));
        }
        tracing::debug!(%error, attempt, "a result file broke off, will read it again");
        shared.pause(wait).await;
        wait = wait.mul_f64(2.0).min(POLL_CAP.max(shared.poll));
    }
    Ok(())
}

/// One reading of all files: each line goes to whoever waits for it at this moment.
async fn hand_out(shared: &Shared, files: &[String]) -> Result<(), CompletionError> {
    for file in files {
        shared.api.read_lines(file, |line| hand_over(shared, line)).await?;
    }
    Ok(())
}

fn hand_over(shared: &Shared, mut line: Value) {
    let id = line.get("custom_id").and_then(Value::as_str).and_then(RequestId::parse);
    let Some((id, prompt_bytes)) = id.and_then(|id| Some((id, shared.desk.prompt_bytes(id)?)))
    else {
        return;
    };
    let asked = shared.api.asked(prompt_bytes);
    let status = line.pointer("/response/status_code").and_then(Value::as_u64);
    let body = line.pointer_mut("/response/body").map(Value::take).unwrap_or_default();
    let answer = match status {
        Some(200) => asked.read_value(&body),
        Some(status) => {
            let status = u16::try_from(status).unwrap_or(0);
            Err(asked.read_failure(status, body.to_string().as_bytes()))
        }
        None => {
            let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str);
            let (word, message) = (text("/error/code"), text("/error/message"));
            Err(not_run(shared, word.unwrap_or_default(), message.unwrap_or_default()))
        }
    };
    shared.desk.answer(id, &answer);
}

/// The code of a request that was not run, by how its batch ended.
fn word(status: &str) -> &'static str {
    match status {
        "expired" => "batch_expired",
        "cancelled" => "batch_cancelled",
        _ => "batch_not_run",
    }
}

/// The error of a request that the provider did not run.
fn not_run(shared: &Shared, word: &str, message: &str) -> CompletionError {
    let code = word.strip_prefix("batch_").map_or("batch_not_run", self::word);
    let row = classify_status(0, &[word], message).unwrap_or((ErrorClass::Transient, code));
    shared.api.asked(0).error(row, message)
}

/// A batch of which nothing was run: the lines at fault end, the others are asked again.
fn failed(shared: &Shared, key: &Key, faults: &[(String, String, Option<u64>)]) -> Lost {
    let asked = shared.api.asked(0);
    let Some((word, message, _)) = faults.first() else {
        return Lost::Batch(passing("batch_failed", "the provider refused the batch"));
    };
    let by_word = classify_status(400, &[word], message).filter(|row| row.1 != "http_400");
    if let Some(row) = by_word {
        return Lost::Batch(asked.error(row, message));
    }
    let lines: HashSet<u64> = faults.iter().filter_map(|fault| fault.2).collect();
    let told = format!("{word}: {message}");
    if lines.is_empty() {
        // Nothing says that another try would end in another way: a person has to look.
        return Lost::Batch(asked.error((ErrorClass::Endpoint, "batch_failed"), &told));
    }
    let order = shared.desk.order(key);
    for line in lines {
        let at = usize::try_from(line.saturating_sub(1)).ok();
        if let Some(id) = at.and_then(|at| order.get(at)) {
            let error = asked.error((ErrorClass::Permanent, "batch_line_refused"), &told);
            shared.desk.answer(*id, &Err(error));
        }
    }
    Lost::Batch(passing("batch_failed", "another line of the batch was refused"))
}

fn passing(code: &'static str, message: &str) -> CompletionError {
    CompletionError {
        class: ErrorClass::Transient,
        code,
        message: message.to_owned(),
        retry_after: None,
    }
}
