//! Gathering requests into files.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use super::attend::attend;
use super::journal::RequestId;
use super::limits::{BATCH_BYTES, BATCH_REQUESTS, JOURNAL_RETRY};
use super::make::send;
use super::waiting::Key;

/// Requests that go into one file.
#[derive(Default)]
pub(super) struct File {
    pub(super) requests: Vec<RequestId>,
    pub(super) lines: Vec<Bytes>,
    /// Batches that are known to have no answer to some of them.
    pub(super) passed: HashSet<Key>,
}

/// Waits for company and then sends off what has gathered.
pub(super) fn gather(shared: &Arc<Shared>) {
    let gathering = Arc::clone(shared);
    shared.spawn(async move {
        let shared = gathering;
        tokio::select! {
            () = shared.pause(shared.linger) => {}
            () = shared.desk.full.notified() => {}
        }
        let opens_at = shared.desk.opens_at();
        shared.ambient.timer.sleep_until(opens_at).await;
        send_off(&shared).await;
    });
}

async fn send_off(shared: &Arc<Shared>) {
    let gathered = shared.desk.take_gathered();
    let ids: Vec<RequestId> = gathered.iter().map(|(id, ..)| *id).collect();
    // Asked before, by this process or by one that died since, they are paid for already.
    let found = loop {
        match shared.journal.find(&ids).await {
            Ok(found) => break found,
            Err(error) => tracing::warn!(error, "the journal of batches cannot be read"),
        }
        shared.pause(JOURNAL_RETRY).await;
    };
    let placed = shared.desk.note_found(found);
    let old: HashSet<&Key> = placed.values().collect();
    for key in old {
        attend(shared, Arc::clone(key));
    }
    let fresh = gathered.into_iter().filter(|(id, ..)| !placed.contains_key(id));
    for file in files(fresh, shared.desk.file_requests()) {
        let sending = Arc::clone(shared);
        shared.spawn(async move { send(&sending, file).await });
    }
}

/// Requests cut into what one file may hold.
fn files(
    requests: impl Iterator<Item = (RequestId, Bytes, Vec<Key>)>,
    most_requests: usize,
) -> Vec<File> {
    let most_requests = most_requests.clamp(1, BATCH_REQUESTS);
    let mut files: Vec<File> = Vec::new();
    let mut bytes = 0;
    for (id, line, passed) in requests {
        let fits =
            |file: &File| file.requests.len() < most_requests && bytes + line.len() <= BATCH_BYTES;
        if !files.last().is_some_and(fits) {
            files.push(File::default());
            bytes = 0;
        }
        bytes += line.len();
        if let Some(file) = files.last_mut() {
            file.requests.push(id);
            file.lines.push(line);
            file.passed.extend(passed);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_no_more_than_the_provider_takes() {
        let request = |number: u64, bytes: usize| {
            (RequestId::of(b"", number), Bytes::from(vec![b'x'; bytes]), Vec::new())
        };
        let sizes = |files: Vec<File>| -> Vec<usize> {
            files.iter().map(|file| file.requests.len()).collect()
        };
        let many = files((0..50_001).map(|number| request(number, 2)), usize::MAX);
        assert_eq!(sizes(many), [50_000, 1]);
        let long = files((0..5).map(|number| request(number, 90_000_000)), usize::MAX);
        assert_eq!(sizes(long), [2, 2, 1]);
        assert!(files(std::iter::empty(), 1).is_empty());
        let few = files((0..5).map(|number| request(number, 2)), 2);
        assert_eq!(sizes(few), [2, 2, 1], "what the account's queue has room for");
    }
}
