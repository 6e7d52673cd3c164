//! Gathering requests into files and sending them off.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Shared;
use super::attend::attend;
use super::desk::Key;
use super::journal::RequestId;
use super::limits::{BATCH_BYTES, BATCH_REQUESTS, JOURNAL_RETRY};
use crate::retry::is_retried;
use crate::{CompletionError, ErrorClass};

/// Waits for company and then sends off what has gathered.
pub(super) fn gather(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let closed = shared.closed.clone();
        tokio::select! {
            () = closed.cancelled() => {}
            () = async {
                tokio::select! {
                    () = shared.pause(shared.linger) => {}
                    () = shared.desk.full.notified() => {}
                }
                send_off(&shared).await;
            } => {}
        }
    });
}

async fn send_off(shared: &Arc<Shared>) {
    let gathered = shared.desk.take_gathered();
    let ids: Vec<RequestId> = gathered.iter().map(|(id, _)| *id).collect();
    // Asked before, by this process or by one that died since, they are paid for already.
    let found = loop {
        match shared.journal.find(&ids).await {
            Ok(found) => break found,
            Err(error) => tracing::warn!(error, "the journal of batches cannot be read"),
        }
        shared.pause(JOURNAL_RETRY).await;
    };
    let placed = shared.desk.note_found(found);
    let old: HashSet<Key> = placed.iter().filter_map(|id| shared.desk.locate(*id)).collect();
    for key in old {
        attend(shared, key);
    }
    let fresh = gathered.into_iter().filter(|(id, _)| !placed.contains(id));
    for file in files(fresh) {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let closed = shared.closed.clone();
            tokio::select! {
                () = closed.cancelled() => {}
                () = send(&shared, file) => {}
            }
        });
    }
}

/// Requests cut into what one file may hold.
fn files(requests: impl Iterator<Item = (RequestId, Bytes)>) -> Vec<Vec<(RequestId, Bytes)>> {
    let mut files: Vec<Vec<(RequestId, Bytes)>> = Vec::new();
    let mut bytes = 0;
    for (id, line) in requests {
        let fits = |file: &Vec<_>| file.len() < BATCH_REQUESTS && bytes + line.len() <= BATCH_BYTES;
        if !files.last().is_some_and(fits) {
            files.push(Vec::new());
            bytes = 0;
        }
        bytes += line.len();
        if let Some(file) = files.last_mut() {
            file.push((id, line));
        }
    }
    files
}

/// Makes one batch: noted first, then paid for.
async fn send(shared: &Arc<Shared>, file: Vec<(RequestId, Bytes)>) {
    let (requests, lines): (Vec<RequestId>, Vec<Bytes>) = file.into_iter().unzip();
    let count = requests.len();
    let key: Key = shared.new_key(&requests).into();
    if let Err(message) = shared.journal.begin(&key, &requests).await {
        let error = CompletionError {
            class: ErrorClass::Transient,
            code: "batch_not_noted",
            message,
            retry_after: None,
        };
        shared.desk.refuse(&requests, &error);
        return;
    }
    shared.desk.note_made(&key, &requests);
    match make(shared, &key, lines).await {
        Ok(batch) => {
            tracing::info!(batch, requests = count, "batch sent off");
            shared.named(&key, &batch).await;
            attend(shared, key);
        }
        Err(error) => shared.abandon(&key, &error).await,
    }
}

async fn make(shared: &Shared, key: &Key, lines: Vec<Bytes>) -> Result<String, CompletionError> {
    let file = shared.api.upload(key, lines).await?;
    let error = match shared.api.create(key, &file).await {
        Ok(batch) => return Ok(batch),
        Err(error) => error,
    };
    // An answer that was lost on its way says nothing: the batch may well have been made.
    if is_retried(error.class)
        && let Ok(Some(batch)) = shared.api.find(key).await
    {
        return Ok(batch);
    }
    Err(error)
}

impl Shared {
    /// A name that no other batch has: what it asks, and when.
    fn new_key(&self, requests: &[RequestId]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.ambient.clock.now().unix_timestamp_nanos().to_le_bytes());
        for id in requests {
            hash.update(id.0);
        }
        let digest = hash.finalize();
        digest.iter().take(RequestId::BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_no_more_than_the_provider_takes() {
        let request = |number: u64, bytes: usize| {
            (RequestId::of(b"", number), Bytes::from(vec![b'x'; bytes]))
        };
        let many = files((0..50_001).map(|number| request(number, 2)));
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [50_000, 1]);
        let long = files((0..5).map(|number| request(number, 90_000_000)));
        assert_eq!(long.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(files(std::iter::empty()).is_empty());
    }
}
