//! From a corpus in scratch to the one that everybody reads.

use std::path::Path;
use std::sync::Arc;

use hornbook_corpus::MANIFEST_PATH;
use hornbook_db::assembly::Claimed;
use hornbook_db::corpora::{self, Pruned, Published};
use hornbook_db::{Db, DbError, jobs};
use hornbook_types::{CorpusFile, JobState, Manifest};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::corpus::{self, Written};
use super::fault::Fault;
use super::store;
use crate::limits::ENDED_JOBS_KEPT;
use crate::segments::segments_dir;
use crate::shared::{Shared, until_answered};

/// Makes the corpus that was asked for; gives the state that its job is in then.
pub(crate) async fn assemble_and_publish(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    halt: &CancellationToken,
) -> Result<JobState, Fault> {
    let job = claimed.key.job_id;
    let written = corpus::write(shared, claimed, halt).await?;
    let place = store::location(job, &written.manifest.content.commit);
    let (manifest, files) = upload(shared, &written, job, &place, halt).await?;
    let published = until_answered(halt, || {
        corpora::publish(&shared.db, &claimed.key, &manifest, &files, &place)
    })
    .await?;
    clean_up(shared, job, &published).await;
    Ok(published.state)
}

/// Uploads every file, the manifest last; gives the manifest to publish and all files with it.
///
/// A commit that was published before keeps its manifest: readers may hold its hash, and its
/// content is the same.
async fn upload(
    shared: &Shared,
    written: &Written,
    job: Uuid,
    place: &str,
    halt: &CancellationToken,
) -> Result<(Manifest, Vec<CorpusFile>), Fault> {
    let commit = &written.manifest.content.commit;
    let mut files = written.manifest.content.files.clone();
    upload_files(shared, &written.dir, &files, place, halt).await?;
    if let Some(known) = until_answered(halt, || known_manifest(&shared.db, job, commit)).await? {
        return Ok(known);
    }
    let local = written.dir.join(MANIFEST_PATH);
    let remote = format!("{place}/{MANIFEST_PATH}");
    files.push(upload_manifest(shared, &local, &remote, halt).await?);
    Ok((written.manifest.clone(), files))
}

/// Uploads the files of a corpus from below `dir` to below `place`.
pub(super) async fn upload_files(
    shared: &Shared,
    dir: &Path,
    files: &[CorpusFile],
    place: &str,
    halt: &CancellationToken,
) -> Result<(), Fault> {
    for file in files {
        let remote = format!("{place}/{}", file.path);
        store::put(&shared.store, &dir.join(&file.path), &remote, halt).await?;
    }
    Ok(())
}

/// Uploads a manifest, which comes after what it vouches for.
pub(super) async fn upload_manifest(
    shared: &Shared,
    local: &Path,
    remote: &str,
    halt: &CancellationToken,
) -> Result<CorpusFile, Fault> {
    let bytes = tokio::fs::read(local).await.map_err(|error| Fault::file(local, &error))?;
    store::put(&shared.store, local, remote, halt).await?;
    Ok(CorpusFile {
        path: MANIFEST_PATH.to_owned(),
        bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(&bytes)),
        rows: None,
        tokens: None,
    })
}

async fn known_manifest(
    db: &Db,
    job: Uuid,
    commit: &str,
) -> Result<Option<(Manifest, Vec<CorpusFile>)>, DbError> {
    let corpus = match corpora::revision(db, job, commit).await {
        Ok(corpus) => corpus,
        Err(DbError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let files = corpora::files(db, job, Some(commit)).await?;
    Ok(Some((corpus.manifest, files.into_iter().map(|stored| stored.file).collect())))
}

/// Removes what nobody can name any more; what fails here is left for the job's deletion.
async fn clean_up(shared: &Shared, job: Uuid, published: &Published) {
    forget_revisions(shared, job, &published.pruned).await;
    if published.state.has_ended() {
        forget_old_segments(shared, job).await;
    }
}

/// Removes segments of jobs that ended, but for this one's and a few that were assembled lately.
async fn forget_old_segments(shared: &Shared, job: Uuid) {
    let _segments = shared.segments.lock().await;
    let root = shared.scratch.join("segments");
    let Ok(mut entries) = tokio::fs::read_dir(&root).await else { return };
    let mut others = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        let id = entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok());
        let (Some(id), Ok(metadata)) = (id.filter(|id| *id != job), entry.metadata().await) else {
            continue;
        };
        let ended = jobs::state(&shared.db, id).await.is_ok_and(|(state, _)| state.has_ended());
        if ended {
            others.push((metadata.modified().ok(), id));
        }
    }
    others.sort_unstable();
    let kept = ENDED_JOBS_KEPT - 1;
    for (_, id) in others.iter().rev().skip(kept) {
        let dir = segments_dir(&shared.scratch, *id);
        if let Err(error) = tokio::fs::remove_dir_all(&dir).await {
            tracing::debug!(%error, path = %dir.display(), "segments are left behind");
        }
    }
}

/// Removes the files of revisions that nobody can name any more.
pub(super) async fn forget_revisions(shared: &Shared, of: Uuid, pruned: &[Pruned]) {
    for revision in pruned {
        if let Err(error) = store::delete_below(&shared.store, &revision.location).await {
            let commit = &revision.commit;
            tracing::warn!(%error, %of, commit, "old corpus files are left behind");
        }
    }
}
