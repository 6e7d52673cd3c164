//! An import as files of a mixed corpus: copies of what lies in the corpus store.

use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use hornbook_corpus::{AssembleError, SourceLicense};
use hornbook_db::imports;
use hornbook_types::{CorpusFile, ImportState, Reference};
use object_store::ObjectStoreExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use super::sources::Stage;
use crate::assemble::Fault;
use crate::shared::{Shared, until_answered};

/// Copies the files of an import into `into`; one that is not ready has no document.
pub(super) async fn stage_import(
    shared: &Arc<Shared>,
    reference: &Reference,
    into: &Path,
    halt: &CancellationToken,
) -> Result<Stage, Fault> {
    let import = until_answered(halt, || imports::get(&shared.db, reference)).await?;
    let license =
        SourceLicense { license: import.license, source: import.source.unwrap_or_default() };
    if import.state != ImportState::Ready {
        return Ok(Stage { documents: 0, complete: true, license });
    }
    for (number, file) in import.content.files.iter().enumerate() {
        if halt.is_cancelled() {
            return Err(Fault::Stopped);
        }
        // Where an import's files lie in the store is not what its documents are.
        let extension = file.path.split_once('.').map_or("parquet", |(_, extension)| extension);
        let local = into.join(format!("{number:06}.{extension}"));
        copy(shared, &import.location, file, &local, halt).await?;
    }
    Ok(Stage { documents: import.content.rows, complete: true, license })
}

async fn copy(
    shared: &Shared,
    location: &str,
    file: &CorpusFile,
    local: &Path,
    halt: &CancellationToken,
) -> Result<(), Fault> {
    let wrong = |error: &std::io::Error| Fault::file(local, error);
    let remote = object_store::path::Path::from(format!("{location}/{}", file.path));
    let mut pieces = shared.store.get(&remote).await?.into_stream();
    let mut out = tokio::fs::File::create(local).await.map_err(|error| wrong(&error))?;
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.try_next().await? {
        if halt.is_cancelled() {
            return Err(Fault::Stopped);
        }
        hash.update(&piece);
        out.write_all(&piece).await.map_err(|error| wrong(&error))?;
    }
    out.flush().await.map_err(|error| wrong(&error))?;
    if hex::encode(hash.finalize()) != file.sha256 {
        let message = "the stored file is not the one that was imported".to_owned();
        return Err(AssembleError::Source { path: local.to_owned(), message }.into());
    }
    Ok(())
}
