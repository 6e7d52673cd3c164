//! From a spooled upload to a stored seed set: a reader thread, a bounded hand-over, one transaction.

use std::fs::File;

use hornbook_db::seed_sets::{self, Import};
use hornbook_db::{DbError, Stored};
use hornbook_records::{RecordError, RecordFormat, read_records};
use hornbook_types::{FieldError, Pinned, Slug};
use http::StatusCode;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::{AppState, Problem};

/// Most records sent to the database at once.
const BATCH_RECORDS: usize = 1_000;
/// Most batches that wait between reader and database.
const BATCHES_WAITING: usize = 2;
/// Bytes of records, roughly, after which a batch is sent though it is not full.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

type Batch = Result<Vec<Map<String, Value>>, RecordError>;

/// Reads every record of `file` and stores them as the next version of `slug`, or nothing.
pub(super) async fn import(
    state: &AppState,
    slug: &Slug,
    license: &str,
    source: Option<&str>,
    format: RecordFormat,
    file: File,
) -> Result<(Pinned, Stored), Problem> {
    // Uploads wait here, where they cost nothing, and not on connections to the database.
    let _place = state.imports.acquire().await.map_err(|closed| Problem::internal(&closed))?;
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
    let reader = tokio::task::spawn_blocking(move || read(format, file, &sender));
    let import = seed_sets::begin(&state.db, slug, license, source).await?;
    let outcome = store(import, receiver).await;
    // The reader ends by itself: its channel is closed by now.
    reader.await.map_err(|panicked| Problem::internal(&panicked))?;
    outcome
}

/// Sends batches until the file ends, a record is bad, or nobody listens any more.
fn read(format: RecordFormat, file: File, sender: &mpsc::Sender<Batch>) {
    let records = match read_records(format, file) {
        Ok(records) => records,
        Err(error) => return drop(sender.blocking_send(Err(error))),
    };
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for record in records {
        match record {
            Ok(record) => {
                bytes += record.values().map(text_bytes).sum::<usize>();
                batch.push(record);
            }
            Err(error) => return drop(sender.blocking_send(Err(error))),
        }
        if batch.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES {
            if sender.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
                return;
            }
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        drop(sender.blocking_send(Ok(batch)));
    }
}

fn text_bytes(value: &Value) -> usize {
    value.as_str().map_or(64, str::len)
}

async fn store(
    mut import: Import,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<(Pinned, Stored), Problem> {
    while let Some(batch) = batches.recv().await {
        let pushed = match batch {
            Ok(records) => import.push(&records).await.map_err(Problem::from),
            Err(error) => Err(bad_record(&error)),
        };
        if let Err(problem) = pushed {
            import.abandon().await?;
            return Err(problem);
        }
    }
    if import.count() == 0 {
        import.abandon().await?;
        return Err(bad_file("the upload has no records"));
    }
    match import.finish().await {
        Err(DbError::BadData(why)) => Err(bad_file(&why)),
        finished => Ok(finished?),
    }
}

fn bad_file(why: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_records", why)
}

/// 422 with the number (from 0, as seeds are numbered) and the line of the record.
fn bad_record(error: &RecordError) -> Problem {
    let mut problem = bad_file(&error.to_string());
    problem.code = "bad_record";
    if let Some(line) = error.line {
        problem = problem.member("line", line);
    }
    if let Some(index) = error.record.checked_sub(1) {
        problem.errors.push(FieldError::new(format!("/{index}"), error.fault.to_string()));
        problem = problem.member("record", index);
    }
    problem
}
