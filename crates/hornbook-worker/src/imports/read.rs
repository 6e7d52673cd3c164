//! From files of documents to the files of an import.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use hornbook_db::imports::{self, Claimed, ImportContent};
use hornbook_records::{ImportFile, Imported, ImportedFile, import_documents};
use hornbook_types::limits::{IMPORT_ROWS, IMPORT_TEXT_BYTES};
use hornbook_types::{CorpusFile, ImportKind};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::imports_dir;
use super::progress::Progress;
use super::source::{Opened, Sources, blocking};
use crate::assemble::put;
use crate::limits::{HASH_BYTES, IMPORT_FILES_WAITING};
use crate::shared::{Shared, until_answered};

/// Reads every file of a claimed import, from where the owner before left off.
pub(super) async fn import(
    shared: &Shared,
    claimed: &Claimed,
    halt: &CancellationToken,
) -> Result<ImportContent, Fault> {
    let import = &claimed.import;
    let dir = imports_dir(&shared.scratch).join(import.id.to_string());
    let made = tokio::fs::create_dir_all(&dir).await;
    made.map_err(|error| Fault::Wrong(format!("the worker's scratch directory: {error}")))?;
    let (sources, origin) = Sources::find(shared, &import.origin, halt).await?;
    // Files on a disk may be others by now; those of a commit are not.
    let mut progress = match origin.kind() {
        ImportKind::Hub => Progress::noted(claimed.progress.clone()),
        _ => Progress::default(),
    };
    note(shared, claimed, &origin, &progress, halt).await?;
    let done = usize::try_from(progress.sources).unwrap_or(usize::MAX);
    for label in sources.labels().iter().skip(done) {
        let opened = sources.open(label, &dir, halt).await?;
        let fetched = opened.fetched.clone();
        let (read, files) = read_one(shared, claimed, &progress, label, opened, &dir, halt).await?;
        progress.add(&read, files);
        note(shared, claimed, &origin, &progress, halt).await?;
        if let Some(path) = fetched
            && let Err(error) = tokio::fs::remove_file(&path).await
        {
            tracing::debug!(%error, path = %path.display(), "a fetched file is left behind");
        }
    }
    if progress.rows == 0 {
        return Err(Fault::Wrong("there are no documents in it".to_owned()));
    }
    Ok(progress.content())
}

async fn note(
    shared: &Shared,
    claimed: &Claimed,
    origin: &hornbook_types::ImportOrigin,
    progress: &Progress,
    halt: &CancellationToken,
) -> Result<(), Fault> {
    let noted = serde_json::to_value(progress).map_err(|error| Fault::Wrong(error.to_string()))?;
    let key = &claimed.key;
    Ok(until_answered(halt, || imports::note(&shared.db, key, origin, &noted)).await?)
}

/// Reads one file of documents to its end, and stores what it becomes.
async fn read_one(
    shared: &Shared,
    claimed: &Claimed,
    before: &Progress,
    label: &str,
    opened: Opened,
    dir: &Path,
    halt: &CancellationToken,
) -> Result<(Imported, Vec<CorpusFile>), Fault> {
    let (sender, mut files) = mpsc::channel::<ImportedFile>(IMPORT_FILES_WAITING);
    let (text_column, source) =
        (claimed.import.text_column.clone(), claimed.import.pinned.slug.to_string());
    let (first_row, first_file) = (before.rows, before.files.len() as u64);
    let text_bytes_max = IMPORT_TEXT_BYTES.saturating_sub(before.text_bytes);
    let (place, stop) = (dir.to_owned(), halt.clone());
    let reader = tokio::task::spawn_blocking(move || {
        let import = ImportFile {
            format: opened.format,
            text_column: &text_column,
            source: &source,
            first_row,
            first_file,
            rows_max: IMPORT_ROWS.saturating_sub(first_row),
            text_bytes_max,
            dir: &place,
        };
        let take = &mut |file| !stop.is_cancelled() && sender.blocking_send(file).is_ok();
        import_documents(&import, opened.file, take)
    });
    let mut stored = Vec::new();
    let mut failure = None;
    while let Some(file) = files.recv().await {
        match store(shared, &claimed.import.location, file, halt).await {
            Ok(file) => stored.push(file),
            Err(fault) => {
                failure = Some(fault);
                break;
            }
        }
    }
    drop(files);
    let read = reader.await.map_err(|panicked| Fault::file(label, panicked))?;
    if let Some(fault) = failure {
        return Err(fault);
    }
    Ok((read.map_err(|error| Fault::documents(label, error))?, stored))
}

/// Puts one file into the store and takes it off the disk.
async fn store(
    shared: &Shared,
    location: &str,
    file: ImportedFile,
    halt: &CancellationToken,
) -> Result<CorpusFile, Fault> {
    let place = file.path.clone();
    let hashed = blocking(move || hash_of(&mut File::open(place)?));
    let (bytes, sha256) = hashed.await?.map_err(|error| Fault::file(&file.name, error))?;
    put(&shared.store, &file.path, &format!("{location}/{}", file.name), halt).await?;
    if let Err(error) = tokio::fs::remove_file(&file.path).await {
        tracing::debug!(%error, path = %file.path.display(), "a stored file is left behind");
    }
    Ok(CorpusFile { path: file.name, bytes, sha256, rows: Some(file.rows), tokens: None })
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
