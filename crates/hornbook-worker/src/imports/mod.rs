//! Import: text of the operator's disk or of the Hub becomes files that corpora are assembled from.
//!
//! One import at a time per worker, under a lease of its own. What was read of it is noted after every
//! source file, so that the next owner goes on there; files have the same names in every attempt.

mod datasets;
mod fault;
mod progress;
mod read;
mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hornbook_db::DbError;
use hornbook_db::imports::{self, Claimed, ImportKey};
use hornbook_types::limits::HEARTBEAT_SECONDS;
use hornbook_types::{ImportKind, ImportState};
use tokio_util::sync::CancellationToken;

use crate::assemble::delete_below;
use crate::limits::{DATABASE_RETRY, IMPORT_LOOK};
use crate::shared::{Shared, until_answered};
use fault::Fault;

pub use datasets::{DatasetFault, DatasetFound, DatasetWanted, Datasets};

/// Where files of documents lie while they are read.
fn imports_dir(scratch: &Path) -> PathBuf {
    scratch.join("imports")
}

/// Imports whatever is wanted, until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    forget_leftovers(&shared).await;
    let mut kinds = Vec::new();
    kinds.extend(shared.datasets.is_some().then_some(ImportKind::Hub));
    kinds.extend(shared.import_root.is_some().then_some(ImportKind::Path));
    while !stop.is_cancelled() {
        match imports::claim(&shared.db, shared.worker, &kinds).await {
            Ok(Some(claimed)) => {
                serve(&shared, &claimed, &stop).await;
                continue;
            }
            Ok(None) => purge(&shared, &stop).await,
            Err(error) => {
                tracing::warn!(%error, "cannot look for imports");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(IMPORT_LOOK) => {}
        }
    }
}

/// Takes one claimed import to its end, whatever that is.
async fn serve(shared: &Arc<Shared>, claimed: &Claimed, stop: &CancellationToken) {
    let key = claimed.key;
    let name = &claimed.import.pinned;
    let halt = stop.child_token();
    let beating = halt.child_token();
    let heart = tokio::spawn(heartbeat(Arc::clone(shared), key, halt.clone(), beating.clone()));
    tracing::info!(%name, "importing");
    let outcome = read::import(shared, claimed, &halt).await;
    beating.cancel();
    if let Err(error) = heart.await {
        tracing::error!(%error, "the heartbeat of an import ended badly");
    }
    let ended = match outcome {
        Ok(content) => {
            tracing::info!(%name, rows = content.rows, "imported");
            until_answered(stop, || imports::finish(&shared.db, &key, &content)).await
        }
        // What was fetched stays, for whoever takes the lease next in this scratch.
        Err(Fault::Stopped) => {
            return ended_well(name, imports::release(&shared.db, &key).await);
        }
        Err(fault) => {
            let message = fault.to_string();
            tracing::warn!(%name, message, "import failed");
            if let Err(error) = delete_below(&shared.store, &claimed.import.location).await {
                tracing::warn!(%error, %name, "files of a failed import are left behind");
            }
            until_answered(stop, || imports::fail(&shared.db, &key, &message)).await
        }
    };
    remove_dir(&imports_dir(&shared.scratch).join(key.id.to_string())).await;
    ended_well(name, ended);
}

fn ended_well(name: &hornbook_types::Pinned, ended: Result<(), DbError>) {
    match ended {
        Ok(()) | Err(DbError::Fenced) => {}
        Err(error) => tracing::warn!(%error, %name, "cannot end an import's lease"),
    }
}

/// Keeps the lease until `stop`; a lost lease cancels `halt`.
async fn heartbeat(
    shared: Arc<Shared>,
    key: ImportKey,
    halt: CancellationToken,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let pause = match imports::heartbeat(&shared.db, &key).await {
            Ok(()) => Duration::from_secs(HEARTBEAT_SECONDS),
            Err(DbError::Fenced) => {
                tracing::warn!(import = %key.id, "the lease of an import was lost");
                halt.cancel();
                return;
            }
            Err(error) => {
                tracing::warn!(%error, import = %key.id, "no heartbeat for an import");
                DATABASE_RETRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Removes deleted imports: files first, because rows are what finds them.
async fn purge(shared: &Shared, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let purge = match imports::next_purge(&shared.db).await {
            Ok(Some(purge)) => purge,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "cannot look for deleted imports"),
        };
        if let Err(error) = delete_below(&shared.store, &purge.location).await {
            return tracing::warn!(%error, import = %purge.id, "a deleted import's files stay");
        }
        if let Err(error) = imports::finish_purge(&shared.db, purge.id).await {
            return tracing::warn!(%error, import = %purge.id, "a deleted import's row stays");
        }
    }
}

/// Removes what earlier owners of this scratch fetched for imports that have ended.
async fn forget_leftovers(shared: &Shared) {
    let Ok(mut entries) = tokio::fs::read_dir(imports_dir(&shared.scratch)).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let state = match id {
            Some(id) => imports::state(&shared.db, id).await,
            None => Err(DbError::NotFound("import")),
        };
        if !matches!(state, Ok(ImportState::Importing) | Err(DbError::Unavailable(_))) {
            remove_dir(&entry.path()).await;
        }
    }
}

async fn remove_dir(dir: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(dir).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %dir.display(), "what was fetched is left behind");
    }
}
