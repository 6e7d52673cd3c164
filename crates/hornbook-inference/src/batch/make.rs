//! Making a batch: noted, uploaded, claimed, and only then paid for.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Shared;
use super::attend::look_after;
use super::gather::File;
use super::journal::RequestId;
use super::limits::{CLAIM_FRESH, JOURNAL_RETRY, JOURNAL_TRIES, QUEUE_POLLS, QUEUE_POLLS_MAX};
use super::waiting::{Key, Unanswered};
use crate::limited::is_never_sent;
use crate::retry::is_retried;
use crate::{CompletionError, ErrorClass};

/// The code of an error that says that the account's queue of batches has no room.
pub(super) const QUEUE_FULL: &str = "batch_queue_full";

/// What came of making a batch.
enum Made {
    Batch(String),
    /// The answer was lost on its way, or made no sense: there may be a batch or not.
    Unknown(CompletionError),
    /// Nobody waits for it any more.
    Unwanted,
    /// It is not ours to make: it was given up meanwhile, or another asks the same.
    Taken,
    /// The provider does not want it, for this reason.
    Refused(CompletionError),
}

/// Makes one batch and looks after it.
pub(super) async fn send(shared: &Shared, file: File) {
    let File { requests, lines, passed } = file;
    let count = requests.len();
    let key: Key = shared.new_key(&requests).into();
    shared.desk.note_made(&key, &requests);
    if let Err(why) = note(shared, &key, &requests).await {
        shared.drop_batch(&key, &why).await;
        return;
    }
    let passed: Vec<String> = passed.iter().map(|key| (**key).to_owned()).collect();
    match make(shared, &key, &requests, lines, &passed).await {
        Made::Batch(batch) => {
            tracing::info!(batch, requests = count, "batch sent off");
            shared.named(&key, &batch).await;
            look_after(shared, &key).await;
        }
        Made::Unknown(error) => {
            tracing::warn!(key = &*key, %error, "not known whether a batch was made, will look for it");
            look_after(shared, &key).await;
        }
        Made::Unwanted => shared.drop_batch(&key, &gone()).await,
        Made::Taken => {
            let why = Unanswered::again("batch_taken", "another batch asks the same");
            shared.drop_batch(&key, &why).await;
        }
        Made::Refused(error) if error.code == QUEUE_FULL => {
            no_room(shared, &key, count, error).await;
        }
        // The batch as a whole was refused, which says nothing about the prompts in it.
        Made::Refused(error) => {
            let error = CompletionError { class: ErrorClass::Endpoint, ..error };
            shared.drop_batch(&key, &error.into()).await;
        }
    }
}

/// Nothing is paid for that is not noted.
async fn note(shared: &Shared, key: &Key, requests: &[RequestId]) -> Result<(), Unanswered> {
    let mut tries = 0;
    while let Err(error) = shared.journal.begin(key, requests).await {
        tracing::warn!(error, "a batch cannot be noted, will try again");
        tries += 1;
        if tries >= JOURNAL_TRIES {
            let class = ErrorClass::Unavailable;
            return Err(CompletionError::new(class, "batch_not_noted", error).into());
        }
        shared.pause(JOURNAL_RETRY).await;
        if !shared.desk.is_any_wanted(requests) {
            return Err(gone());
        }
    }
    Ok(())
}

fn gone() -> Unanswered {
    Unanswered::again("batch_unwanted", "nobody waited for the batch")
}

async fn make(
    shared: &Shared,
    key: &Key,
    requests: &[RequestId],
    lines: Vec<Bytes>,
    passed: &[String],
) -> Made {
    let file = match upload(shared, key, requests, lines).await {
        Ok(file) => file,
        Err(made) => return made,
    };
    let made = create(shared, key, requests, &file, passed).await;
    if !matches!(made, Made::Batch(_) | Made::Unknown(_)) {
        shared.delete(&file).await;
    }
    made
}

/// Uploads the file however long the provider is out of reach: a prompt that waits costs nothing.
async fn upload(
    shared: &Shared,
    key: &Key,
    requests: &[RequestId],
    lines: Vec<Bytes>,
) -> Result<String, Made> {
    let mut patience = shared.patience();
    loop {
        let error = match shared.api.upload(key, &lines).await {
            Ok(file) => return Ok(file),
            Err(error) if is_retried(error.class) => error,
            Err(error) => return Err(Made::Refused(error)),
        };
        tracing::warn!(%error, "a file of requests cannot be uploaded, will try again");
        shared.pause(patience.wait(error.retry_after)).await;
        if !shared.desk.is_any_wanted(requests) {
            return Err(Made::Unwanted);
        }
    }
}

/// Asks for the batch, once; again only where the answer says that there is none.
async fn create(
    shared: &Shared,
    key: &Key,
    requests: &[RequestId],
    file: &str,
    passed: &[String],
) -> Made {
    let mut patience = shared.patience();
    let timer = &shared.ambient.timer;
    loop {
        if !shared.desk.is_any_wanted(requests) {
            return Made::Unwanted;
        }
        let asked_at = timer.elapsed();
        match shared.journal.claim(key, passed).await {
            Ok(true) => {}
            Ok(false) => return Made::Taken,
            Err(error) => {
                tracing::warn!(error, "a batch cannot be claimed, will try again");
                shared.pause(JOURNAL_RETRY).await;
                continue;
            }
        }
        if timer.elapsed().saturating_sub(asked_at) > CLAIM_FRESH {
            continue;
        }
        match shared.api.create(key, file).await {
            Ok(batch) => return Made::Batch(batch),
            Err(error) if !is_clear_no(&error) => return Made::Unknown(error),
            Err(error) if is_retried(error.class) && error.code != QUEUE_FULL => {
                tracing::warn!(%error, "a batch was put off, will try again");
                shared.pause(patience.wait(error.retry_after)).await;
            }
            Err(error) => return Made::Refused(error),
        }
    }
}

/// True where an error says for sure that no batch was made.
fn is_clear_no(error: &CompletionError) -> bool {
    match error.class {
        ErrorClass::TooLong | ErrorClass::Refused | ErrorClass::Endpoint => true,
        // A body without end may have begun with the batch.
        ErrorClass::Permanent => error.code != "body_too_large",
        // A 503 may come from a gateway that waited for the answer in vain.
        ErrorClass::Throttled => matches!(error.code, "http_429" | "http_498" | QUEUE_FULL),
        ErrorClass::Transient => is_never_sent(error.code),
        ErrorClass::Unavailable | ErrorClass::Cancelled => false,
    }
}

/// The account's queue has no room: smaller batches, later, and a person where that is no help.
pub(super) async fn no_room(shared: &Shared, key: &Key, count: usize, error: CompletionError) {
    let Some(waits) = shared.desk.queue_is_full(key, count) else {
        let message = format!("the queue has no room for a single request: {}", error.message);
        let error = CompletionError::new(ErrorClass::Endpoint, QUEUE_FULL, message);
        shared.drop_batch(key, &error.into()).await;
        return;
    };
    let polls = QUEUE_POLLS.saturating_mul(1 << waits.min(8)).min(QUEUE_POLLS_MAX);
    let wait = shared.poll.saturating_mul(polls).max(error.retry_after.unwrap_or_default());
    tracing::warn!(requests = count, %error, "no room for a batch, will try again");
    shared.desk.close_until(shared.ambient.timer.elapsed().saturating_add(wait));
    shared.drop_batch(key, &Unanswered { is_free: true, ..error.into() }).await;
}

impl Shared {
    /// A name that no other batch has: what it asks, and when.
    fn new_key(&self, requests: &[RequestId]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.ambient.clock.now().unix_timestamp_nanos().to_le_bytes());
        hash.update(self.ambient.draw().to_le_bytes());
        for id in requests {
            hash.update(id.0);
        }
        let digest = hash.finalize();
        digest.iter().take(RequestId::BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Deletes a file that no batch uses; where that fails it is only litter.
    pub(super) async fn delete(&self, file: &str) {
        if let Err(error) = self.api.delete(file).await {
            tracing::debug!(%error, file, "an unused file of requests was left behind");
        }
    }
}
