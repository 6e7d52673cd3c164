//! Assemble a mixed corpus: several jobs' accepted documents become one published corpus.
//!
//! The sources become files below one directory, the same core as for files builds the corpus from
//! them, and what it built is uploaded and published in one transaction. What is under way stays in
//! scratch when this worker stops, so that it goes on from there.

mod fault;
mod imports;
mod publish;
mod sources;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hornbook_db::DbError;
use hornbook_db::corpora::mixed::{self, Claimed};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lease::{Lease, keep};
use crate::shared::{Shared, until_answered};
use fault::MixedFault;

/// Where mixed corpora are assembled.
fn mixed_dir(scratch: &Path) -> PathBuf {
    scratch.join("mixed")
}

/// Where one of them is.
fn place_of(scratch: &Path, id: Uuid) -> PathBuf {
    mixed_dir(scratch).join(id.to_string())
}

/// Takes one claimed assembly to its end, whatever that is.
pub(crate) async fn serve(shared: &Arc<Shared>, claimed: &Claimed, stop: &CancellationToken) {
    let key = claimed.key;
    let halt = stop.child_token();
    let heart = keep(shared, Lease::Mixed(key), &halt);
    tracing::info!(corpus = %key.id, "assembling a mixed corpus");
    let outcome = publish::assemble_and_publish(shared, claimed, &halt).await;
    heart.end().await;
    let resumable = matches!(outcome, Err(MixedFault::Stopped));
    let ended = match outcome {
        Ok(()) => {
            tracing::info!(corpus = %key.id, "mixed corpus published");
            Ok(())
        }
        Err(MixedFault::Stopped | MixedFault::Gone) => mixed::release(&shared.db, &key).await,
        Err(fault) => {
            let (code, message) = (fault.code(), fault.to_string());
            tracing::error!(corpus = %key.id, code, message, "mixed assembly failed");
            until_answered(stop, || mixed::fail(&shared.db, &key, code, &message)).await
        }
    };
    match ended {
        Ok(()) | Err(DbError::Fenced) => {}
        Err(error) => tracing::warn!(%error, corpus = %key.id, "cannot end an assembly's lease"),
    }
    if !resumable {
        clear(&place_of(&shared.scratch, key.id)).await;
    }
}

/// Removes what lies in this worker's scratch of assemblies that any worker has ended since.
///
/// Only the loop that assembles may call it: nothing that it removes is in use then.
pub(crate) async fn forget(shared: &Shared) {
    let ids = match ids_in(&mixed_dir(&shared.scratch)).await {
        Ok(ids) => ids,
        Err(error) => {
            tracing::warn!(%error, "cannot look for scratch files of mixed corpora");
            return;
        }
    };
    for id in ids {
        let ended = match mixed::get(&shared.db, id).await {
            Ok(corpus) => corpus.state.has_ended(),
            Err(DbError::NotFound(_)) => true,
            Err(_) => false,
        };
        if ended {
            clear(&place_of(&shared.scratch, id)).await;
        }
    }
}

/// Ids after which the entries of a directory are named.
pub(crate) async fn ids_in(dir: &Path) -> std::io::Result<Vec<Uuid>> {
    let mut entries = match tokio::fs::read_dir(dir).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut ids = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        ids.extend(entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok()));
    }
    Ok(ids)
}

/// Removes what an assembly left in scratch.
async fn clear(place: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(place).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %place.display(), "cannot remove an assembly's scratch files");
    }
}
