//! Files on their way to the service.

use std::path::Path;

use hornbook_records::RecordFormat;
use reqwest::Body;
use tokio_util::io::ReaderStream;

use crate::exit::Failure;

/// A file that is sent while it is read.
pub(crate) struct Upload {
    pub(crate) content_type: &'static str,
    pub(crate) body: Body,
}

/// Opens a file whose name says what it holds.
pub(crate) async fn open(path: &Path) -> Result<Upload, Failure> {
    let content_type = content_type(path)?;
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|error| Failure::usage(format!("reading {}: {error}", path.display())))?;
    Ok(Upload { content_type, body: Body::wrap_stream(ReaderStream::new(file)) })
}

fn content_type(path: &Path) -> Result<&'static str, Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    RecordFormat::of_file_name(name).map(RecordFormat::media_type).ok_or_else(|| {
        Failure::usage(format!(
            "{}: name the file .ndjson, .jsonl, .json or .csv (each may end in .zst or .gz), or .parquet",
            path.display()
        ))
    })
}
