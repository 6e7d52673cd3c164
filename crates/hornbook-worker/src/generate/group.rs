//! Finished documents of one chunk that wait to be stored.

use std::sync::{Mutex, MutexGuard, PoisonError};

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
    rows: Vec<Document>,
    usd: f64,
    /// When the first of `rows` came.
    since: Option<Instant>,
    /// Set while a task stores this chunk's documents.
    is_stored: bool,
}

/// Documents to store together.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Document>,
    /// What they cost.
    pub(crate) usd: f64,
}

impl Group {
    /// Adds a document; true when the caller must start the task that stores this chunk's documents.
    pub(crate) fn push(&self, document: Document, usd: f64) -> bool {
        let mut gathered = self.lock();
        gathered.rows.push(document);
        gathered.usd += usd;
        gathered.since.get_or_insert_with(Instant::now);
        if gathered.rows.len() == COMMIT_ROWS {
            self.full.notify_one();
        }
        !std::mem::replace(&mut gathered.is_stored, true)
    }

    /// Waits until the first document has waited for `linger`, or there are enough.
    pub(crate) async fn until_due(&self, linger: std::time::Duration) {
        loop {
            let due = {
                let gathered = self.lock();
                if gathered.rows.len() >= COMMIT_ROWS {
                    return;
                }
                gathered.since.map(|since| since + linger)
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
        let all = gathered.rows.len();
        if all == 0 {
            gathered.is_stored = false;
            return Rows::default();
        }
        if all <= COMMIT_ROWS_MAX {
            gathered.since = None;
            return Rows {
                rows: std::mem::take(&mut gathered.rows),
                usd: std::mem::take(&mut gathered.usd),
            };
        }
        let rest = gathered.rows.split_off(COMMIT_ROWS_MAX);
        let rows = std::mem::replace(&mut gathered.rows, rest);
        let usd = gathered.usd * rows.len() as f64 / all as f64;
        gathered.usd -= usd;
        Rows { rows, usd }
    }

    /// Throws away what is gathered, because nobody will store it; gives the number and bytes of documents.
    pub(crate) fn give_up(&self) -> (usize, usize) {
        let mut gathered = self.lock();
        gathered.is_stored = false;
        gathered.since = None;
        gathered.usd = 0.0;
        let rows = std::mem::take(&mut gathered.rows);
        (rows.len(), rows.iter().map(bytes).sum())
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        // Nothing under this lock can panic half way, so what a panic elsewhere leaves is whole.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Text of a document, in bytes.
pub(crate) fn bytes(document: &Document) -> usize {
    document.prompt.len() + document.text.len()
}
