//! From a mixed corpus in scratch to the one that everybody reads.

use std::sync::Arc;

use hornbook_corpus::MANIFEST_PATH;
use hornbook_db::corpora::mixed::{self, Claimed};
use hornbook_db::corpora::{self, Owner};
use hornbook_db::{Db, DbError};
use hornbook_types::{CorpusFile, MixedManifest};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fault::MixedFault;
use super::write::write;
use crate::assemble::publish::{forget_revisions, upload_files, upload_manifest};
use crate::assemble::store;
use crate::shared::{Shared, until_answered};

/// Makes the corpus that was asked for, and publishes it.
pub(super) async fn assemble_and_publish(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    halt: &CancellationToken,
) -> Result<(), MixedFault> {
    let id = claimed.key.id;
    let written = write(shared, claimed, halt).await?;
    let commit = &written.manifest.content.commit;
    let place = store::location(id, commit);
    let mut files = written.manifest.content.files.clone();
    upload_files(shared, &written.dir, &files, &place, halt).await?;
    let known = until_answered(halt, || known_manifest(&shared.db, id, commit)).await?;
    let (manifest, files) = match known {
        // Readers may hold the hash of its manifest, and its content is the same.
        Some(known) => known,
        None => {
            let remote = format!("{place}/{MANIFEST_PATH}");
            files.push(upload_manifest(shared, &written.manifest_path, &remote, halt).await?);
            (written.manifest.clone(), files)
        }
    };
    let pruned = until_answered(halt, || {
        mixed::publish(&shared.db, &claimed.key, &manifest, &files, &place)
    })
    .await?;
    forget_revisions(shared, id, &pruned).await;
    Ok(())
}

async fn known_manifest(
    db: &Db,
    id: Uuid,
    commit: &str,
) -> Result<Option<(MixedManifest, Vec<CorpusFile>)>, DbError> {
    let revision = match mixed::revision(db, id, commit).await {
        Ok(revision) => revision,
        Err(DbError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let files = corpora::files(db, Owner::Mixed(id), Some(commit)).await?;
    Ok(Some((revision.manifest, files.into_iter().map(|stored| stored.file).collect())))
}
