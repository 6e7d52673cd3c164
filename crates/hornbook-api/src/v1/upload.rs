//! What uploads of records have in common.

use std::fs::File;
use std::sync::Arc;

use hornbook_records::{RecordError, RecordFormat};
use hornbook_types::FieldError;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt as _;

use crate::Problem;

/// Media types of the formats that records are read from.
pub(crate) const ACCEPTED: [&str; 4] =
    ["application/x-ndjson", "application/json", "text/csv", "application/vnd.apache.parquet"];

/// `None` for a format that is not read, and for one under a coding that nobody would undo.
pub(crate) fn record_format(headers: &HeaderMap) -> Option<RecordFormat> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return None;
    }
    RecordFormat::of_media_type(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

/// 422 with the number (from 0) and the line of the record.
pub(crate) fn bad_record(error: &RecordError) -> Problem {
    let mut problem =
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_record", error.to_string());
    if let Some(line) = error.line {
        problem = problem.member("line", line);
    }
    if let Some(index) = error.record.checked_sub(1) {
        problem.errors.push(FieldError::new(format!("/{index}"), error.fault.to_string()));
        problem = problem.member("record", index);
    }
    problem
}

/// 507, with the cause in the log.
pub(crate) fn no_room(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(cause = %error, "an upload could not be kept");
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "no_room",
        "the service has no room to keep the upload",
    )
}

/// Copies a local file into the corpus store; it appears there whole or not at all.
pub(crate) async fn put_file(
    store: &Arc<dyn ObjectStore>,
    file: File,
    remote: &str,
) -> Result<(), Problem> {
    let mut file = tokio::fs::File::from_std(file);
    let mut out = BufWriter::new(Arc::clone(store), Path::from(remote));
    if let Err(error) = tokio::io::copy(&mut file, &mut out).await {
        if let Err(error) = out.abort().await {
            tracing::debug!(%error, "parts of an upload are left behind");
        }
        return Err(no_room(&error));
    }
    out.shutdown().await.map_err(|error| no_room(&error))
}
