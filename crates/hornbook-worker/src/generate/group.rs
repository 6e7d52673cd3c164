//! Finished documents of one chunk that wait to be stored.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hornbook_db::documents::{Bill, Paid};
use hornbook_types::Document;
use hornbook_types::limits::{COMMIT_ROWS, COMMIT_ROWS_MAX};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Gathers documents while the ones before them are being stored.
#[derive(Default)]
pub(crate) struct Group {
    gathered: Mutex<Gathered>,
    /// Told when there are enough documents to store them at once.
    full: Notify,
}

#[derive(Default)]
struct Gathered {
    rows: Rows,
    /// Paid for nothing; stored with the next documents.
    wasted: Vec<Paid>,
    /// Set while a task stores this chunk's documents.
    is_stored: bool,
}

/// Documents to store together, and of each what it cost and when it came.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Document>,
    pub(crate) bills: Vec<Bill>,
    pub(crate) since: Vec<Instant>,
}

impl Group {
    /// Adds a document that cost so many dollars; true when the caller must start the task that stores
    /// this chunk's documents.
    pub(crate) fn push(&self, document: Document, usd: f64) -> bool {
        let mut gathered = self.lock();
        let wasted = std::mem::take(&mut gathered.wasted);
        gathered.rows.rows.push(document);
        gathered.rows.bills.push(Bill { usd, wasted });
        gathered.rows.since.push(Instant::now());
        if gathered.rows.rows.len() == COMMIT_ROWS {
            self.full.notify_one();
        }
        !std::mem::replace(&mut gathered.is_stored, true)
    }

    /// Notes what was paid for no document; it is stored with the next one.
    pub(crate) fn waste(&self, paid: Paid) {
        self.lock().wasted.push(paid);
    }

    /// Waits until the first document has waited for `linger`, or there are enough.
    pub(crate) async fn until_due(&self, linger: std::time::Duration) {
        loop {
            let due = {
                let gathered = self.lock();
                if gathered.rows.rows.len() >= COMMIT_ROWS {
                    return;
                }
                gathered.rows.since.first().map(|since| *since + linger)
            };
            let Some(due) = due else { return };
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                // May be left from a group that is stored by now, so it is looked at again.
                () = self.full.notified() => {}
            }
        }
    }

    /// Takes the next documents to store; none when there are none, and the task that stores them ends then.
    pub(crate) fn take(&self) -> Rows {
        let mut gathered = self.lock();
        if gathered.rows.rows.is_empty() {
            gathered.is_stored = false;
        }
        let all = std::mem::take(&mut gathered.rows);
        let (now, later) = all.split();
        gathered.rows = later;
        now
    }

    /// Throws away what is gathered, because nobody will store it; gives the number and bytes of documents.
    pub(crate) fn give_up(&self) -> (usize, usize) {
        let mut gathered = self.lock();
        gathered.is_stored = false;
        let rows = std::mem::take(&mut gathered.rows).rows;
        (rows.len(), rows.iter().map(bytes).sum())
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        // Nothing under this lock can panic half way, so what a panic elsewhere leaves is whole.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// As many as may be stored together, and the rest.
    fn split(mut self) -> (Self, Self) {
        let at = self.rows.len().min(COMMIT_ROWS_MAX);
        let later = Self {
            rows: self.rows.split_off(at),
            bills: self.bills.split_off(at),
            since: self.since.split_off(at),
        };
        (self, later)
    }
}

/// Text of a document, in bytes.
pub(crate) fn bytes(document: &Document) -> usize {
    document.prompt.len() + document.text.len()
}
