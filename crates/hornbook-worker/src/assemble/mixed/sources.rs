//! The sources of a mixed corpus as files: `sources/NAME/...`, in the order of names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hornbook_corpus::{AssembleError, Segment, spec_digest, stage_segment};
use hornbook_db::{DbError, chunks, jobs};
use hornbook_types::{CorpusSpec, MixSource};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fault::MixedFault;
use crate::assemble::Fault;
use crate::assemble::quota::Selection;
use crate::segments::{Export, blocking, segments_dir};
use crate::shared::{Shared, until_answered};

/// What a corpus is built from.
pub(super) struct Staged {
    /// The directory with one directory for each source.
    pub(super) dir: PathBuf,
    /// False when some job may still give more.
    pub(super) complete: bool,
}

/// Puts the documents of every source into files below `place`; what was put there before is replaced.
pub(super) async fn stage(
    shared: &Arc<Shared>,
    spec: &CorpusSpec,
    place: &Path,
    halt: &CancellationToken,
) -> Result<Staged, MixedFault> {
    let dir = place.join("sources");
    match tokio::fs::remove_dir_all(&dir).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Fault::file(&dir, &error).into());
        }
        _ => {}
    }
    let mut complete = true;
    for source in &spec.sources {
        let into = dir.join(source.label());
        tokio::fs::create_dir_all(&into).await.map_err(|error| Fault::file(&into, &error))?;
        complete &= stage_one(shared, source, into, halt).await?;
    }
    Ok(Staged { dir, complete })
}

async fn stage_one(
    shared: &Arc<Shared>,
    source: &MixSource,
    into: PathBuf,
    halt: &CancellationToken,
) -> Result<bool, MixedFault> {
    let Some(job) = source.job else {
        let what = source.import.as_ref().map_or_else(String::new, |it| format!("import {it}"));
        return Err(MixedFault::SourceMissing { name: source.label(), what });
    };
    let what = format!("job {job}");
    match stage_job(shared, job, into, halt).await {
        Ok(JobStage { documents: 0, .. }) => {
            Err(MixedFault::SourceEmpty { name: source.label(), what })
        }
        Ok(stage) => Ok(stage.complete),
        Err(Fault::Gone) => Err(MixedFault::SourceMissing { name: source.label(), what }),
        Err(fault) => Err(fault.into()),
    }
}

struct JobStage {
    documents: u64,
    complete: bool,
}

/// A job's accepted documents; a damaged segment is exported once more.
async fn stage_job(
    shared: &Arc<Shared>,
    job: Uuid,
    into: PathBuf,
    halt: &CancellationToken,
) -> Result<JobStage, Fault> {
    match stage_job_once(shared, job, into.clone(), halt).await {
        Err(Fault::Files(AssembleError::Segment { path, message })) => {
            tracing::warn!(path = %path.display(), message, "exporting segments again");
            let dir = segments_dir(&shared.scratch, job);
            tokio::fs::remove_dir_all(&dir).await.map_err(|error| Fault::file(&dir, &error))?;
            stage_job_once(shared, job, into, halt).await
        }
        outcome => outcome,
    }
}

async fn stage_job_once(
    shared: &Arc<Shared>,
    job: Uuid,
    into: PathBuf,
    halt: &CancellationToken,
) -> Result<JobStage, Fault> {
    let db = &shared.db;
    let spec = until_answered(halt, || jobs::spec(db, job)).await?;
    let digest = spec_digest(&spec)?;
    let open = || async {
        until_answered(halt, || chunks::open(db, job)).await.map(|spans| !spans.is_empty())
    };
    let open_before = open().await?;
    let selection = Selection::of(db, job, &spec, halt).await?;
    let total = until_answered(halt, || chunks::covered(db, job)).await?;
    let export = Export { shared, job, spec_digest: &digest, total, halt };
    let segments = export.segments().await?;
    // A retry may have opened chunks again while documents were read.
    let complete = !open_before && !open().await?;
    let halt = halt.clone();
    let documents =
        blocking(move || stage_segments(&segments, selection.as_ref(), &into, &halt)).await??;
    if let Err(error @ DbError::NotFound(_)) = jobs::state(db, job).await {
        // Half of a job that is being deleted is not what was asked for.
        return Err(error.into());
    }
    Ok(JobStage { documents, complete })
}

/// Gives the number of documents, or at least that there are some.
fn stage_segments(
    segments: &[Segment],
    selection: Option<&Selection>,
    into: &Path,
    halt: &CancellationToken,
) -> Result<u64, Fault> {
    let mut documents = 0;
    for segment in segments {
        if halt.is_cancelled() {
            return Err(Fault::Stopped);
        }
        let takes = |seq| selection.is_none_or(|selection| selection.takes(seq));
        let takes: Option<&dyn Fn(u64) -> bool> =
            if selection.is_some() { Some(&takes) } else { None };
        if stage_segment(segment, into, takes)?.is_some() {
            documents += segment.rows;
        }
    }
    Ok(documents)
}
