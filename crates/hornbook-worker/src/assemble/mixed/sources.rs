//! The sources of a mixed corpus as files: `sources/NAME/...`, in the order of names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hornbook_corpus::{
    AssembleError, SeedOrigin, Segment, SourceLicense, spec_digest, stage_segment,
};
use hornbook_db::{DbError, chunks, jobs};
use hornbook_types::{CorpusSpec, MixSource, Reference};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fault::MixedFault;
use super::imports::stage_import;
use crate::assemble::Fault;
use crate::assemble::corpus::seed_origin;
use crate::assemble::quota::Selection;
use crate::segments::{Export, blocking, segments_dir};
use crate::shared::{Shared, until_answered};

/// What a corpus is built from.
pub(super) struct Staged {
    /// The directory with one directory for each source.
    pub(super) dir: PathBuf,
    /// False when some job may still give more.
    pub(super) complete: bool,
    /// Under what licence each source was had, by its name.
    pub(super) licenses: BTreeMap<String, SourceLicense>,
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
    let mut staged = Staged { dir, complete: true, licenses: BTreeMap::new() };
    for source in &spec.sources {
        let into = staged.dir.join(source.label());
        tokio::fs::create_dir_all(&into).await.map_err(|error| Fault::file(&into, &error))?;
        let stage = stage_one(shared, source, into, halt).await?;
        staged.complete &= stage.complete;
        staged.licenses.insert(source.label(), stage.license);
    }
    Ok(staged)
}

async fn stage_one(
    shared: &Arc<Shared>,
    source: &MixSource,
    into: PathBuf,
    halt: &CancellationToken,
) -> Result<Stage, MixedFault> {
    let name = source.label();
    let (what, staged) = match (source.job, &source.import) {
        (Some(job), _) => (format!("job {job}"), stage_job(shared, job, into, halt).await),
        (None, Some(import)) => {
            let reference = Reference { slug: import.clone(), version: None };
            (format!("import {import}"), stage_import(shared, &reference, &into, halt).await)
        }
        (None, None) => ("nothing".to_owned(), Err(Fault::Gone)),
    };
    match staged {
        Ok(stage) if stage.documents == 0 => Err(MixedFault::SourceEmpty { name, what }),
        Ok(stage) => Ok(stage),
        Err(Fault::Gone) => Err(MixedFault::SourceMissing { name, what }),
        Err(fault) => Err(fault.into()),
    }
}

/// What was staged of one source.
pub(super) struct Stage {
    /// Its documents, or at least that there are some.
    pub(super) documents: u64,
    /// False when it may still give more.
    pub(super) complete: bool,
    /// Under what licence it was had.
    pub(super) license: SourceLicense,
}

/// A job's accepted documents; a damaged segment is exported once more.
async fn stage_job(
    shared: &Arc<Shared>,
    job: Uuid,
    into: PathBuf,
    halt: &CancellationToken,
) -> Result<Stage, Fault> {
    // Segments that are exported ahead are the same files.
    let _segments = shared.segments.lock().await;
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
) -> Result<Stage, Fault> {
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
    let stop = halt.clone();
    let documents =
        blocking(move || stage_segments(&segments, selection.as_ref(), &into, &stop)).await??;
    if let Err(error @ DbError::NotFound(_)) = jobs::state(db, job).await {
        // Half of a job that is being deleted is not what was asked for.
        return Err(error.into());
    }
    let SeedOrigin { license, source } = seed_origin(shared, &spec, halt).await?;
    Ok(Stage { documents, complete, license: SourceLicense { license, source } })
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
