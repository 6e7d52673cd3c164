//! From a spooled upload to files in the corpus store.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use futures_util::TryStreamExt as _;
use hornbook_db::imports::{ImportContent, location};
use hornbook_records::{
    ImportError, ImportFile, Imported, ImportedFile, RecordFormat, import_documents,
};
use hornbook_types::CorpusFile;
use hornbook_types::limits::{IMPORT_ROWS, IMPORT_TEXT_BYTES};
use http::StatusCode;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::v1::upload::{bad_record, no_room, put_file};
use crate::{AppState, Problem};

/// Files that wait to be stored; each is a few dozen megabytes on the disk.
const FILES_WAITING: usize = 1;
/// Bytes that are hashed at a time.
const HASH_BYTES: usize = 1024 * 1024;

/// How an upload is read.
pub(super) struct Taken {
    pub(super) format: RecordFormat,
    pub(super) text_column: String,
    pub(super) source: String,
    /// The import that it will be.
    pub(super) id: Uuid,
}

/// Reads every document of `file` and stores them as the files of an import.
pub(super) async fn take_upload(
    state: &AppState,
    taken: Taken,
    file: File,
) -> Result<ImportContent, Problem> {
    let dir = tempfile::tempdir_in(&state.config.spool_dir).map_err(|error| no_room(&error))?;
    let (sender, mut files) = mpsc::channel::<ImportedFile>(FILES_WAITING);
    let (place, id) = (dir.path().to_owned(), taken.id);
    let reader = tokio::task::spawn_blocking(move || {
        let import = ImportFile {
            format: taken.format,
            text_column: &taken.text_column,
            source: &taken.source,
            first_row: 0,
            first_file: 0,
            rows_max: IMPORT_ROWS,
            text_bytes_max: IMPORT_TEXT_BYTES,
            dir: &place,
        };
        import_documents(&import, file, &mut |file| sender.blocking_send(file).is_ok())
    });
    let mut stored = Vec::new();
    let mut failure = None;
    while let Some(file) = files.recv().await {
        match store(state, id, &file).await {
            Ok(file) => stored.push(file),
            Err(problem) => {
                failure = Some(problem);
                break;
            }
        }
    }
    drop(files);
    let read = reader.await.map_err(|panicked| Problem::internal(&panicked))?;
    if let Some(problem) = failure {
        return Err(problem);
    }
    content(read.map_err(refusal)?, stored)
}

fn content(read: Imported, files: Vec<CorpusFile>) -> Result<ImportContent, Problem> {
    if read.rows == 0 {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "bad_records", "the upload has no documents"));
    }
    Ok(ImportContent {
        sha256: ImportContent::digest(&files),
        rows: read.rows,
        text_bytes: read.text_bytes,
        tokens: read.tokens,
        files,
    })
}

/// Puts one file into the store and takes it off the disk.
async fn store(state: &AppState, id: Uuid, file: &ImportedFile) -> Result<CorpusFile, Problem> {
    let path = file.path.clone();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut opened = File::open(&path)?;
        let (bytes, sha256) = hash_of(&mut opened)?;
        opened.rewind()?;
        // It lives on under its handle alone.
        std::fs::remove_file(&path)?;
        Ok::<_, io::Error>((opened, bytes, sha256))
    });
    let hashed = hashed.await.map_err(|panicked| Problem::internal(&panicked))?;
    let (opened, bytes, sha256) = hashed.map_err(|error| no_room(&error))?;
    put_file(&state.store, opened, &format!("{}/{}", location(id), file.name)).await?;
    Ok(CorpusFile { path: file.name.clone(), bytes, sha256, rows: Some(file.rows), tokens: None })
}

/// Reads a file to its end; its size and its SHA-256, 64 hex digits.
fn hash_of(file: &mut File) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; HASH_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, hex::encode(hash.finalize()))),
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// Takes everything of an import out of the store of which no row will tell.
pub(super) async fn remove(state: &AppState, id: Uuid) {
    let place = Path::from(location(id));
    let mut listed = state.store.list(Some(&place));
    let removed = async {
        while let Some(object) = listed.try_next().await? {
            state.store.delete(&object.location).await?;
        }
        Ok::<_, object_store::Error>(())
    };
    if let Err(error) = removed.await {
        tracing::warn!(%error, import = %id, "files of an import that failed are left behind");
    }
}

fn refusal(why: ImportError) -> Problem {
    match why {
        ImportError::Record(error) => bad_record(&error),
        ImportError::TooMuch(why) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_much", why)
        }
        ImportError::Write(error) => no_room(&error),
        ImportError::Stopped => Problem::internal(&"an upload was given up"),
    }
}
