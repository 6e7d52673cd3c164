//! From a job's rows to a complete corpus in scratch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hornbook_corpus::{
    AssembleError, AssembleRequest, SeedOrigin, Segment, ShardLimits, WantedBenchmarks, Work,
    assemble, spec_digest,
};
use hornbook_db::assembly::Claimed;
use hornbook_db::jobs::{self, Job};
use hornbook_db::{chunks, endpoints, seed_sets};
use hornbook_types::{
    LOCAL_ENDPOINT, Manifest, ManifestRun, PinnedJobSpec, Reference, RowFunnel, Verdict,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::benchmarks::wanted;
use super::corpora_dir;
use super::fault::Fault;
use super::quota::Selection;
use super::tokenizer::{read_tokenizer, tokenizer_file};
use crate::segments::{Export, blocking, segments_dir, sidecars_dir};
use crate::shared::{Shared, until_answered};

/// A corpus in scratch.
pub(crate) struct Written {
    pub(crate) dir: PathBuf,
    pub(crate) manifest: Manifest,
}

/// What is known of the models that answered.
#[derive(Clone, Default)]
struct Models {
    hashes: BTreeMap<String, String>,
    instruction_set: Option<String>,
}

/// Exports what is missing and writes the corpus; a damaged segment is exported once more.
pub(crate) async fn write(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    halt: &CancellationToken,
) -> Result<Written, Fault> {
    let _segments = shared.segments.lock().await;
    match write_once(shared, claimed, halt).await {
        Err(Fault::Files(AssembleError::Segment { path, message })) => {
            tracing::warn!(path = %path.display(), message, "exporting segments again");
            let dir = segments_dir(&shared.scratch, claimed.key.job_id);
            tokio::fs::remove_dir_all(&dir).await.map_err(|error| Fault::file(&dir, &error))?;
            write_once(shared, claimed, halt).await
        }
        outcome => outcome,
    }
}

async fn write_once(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    halt: &CancellationToken,
) -> Result<Written, Fault> {
    let db = &shared.db;
    let id = claimed.key.job_id;
    let job = until_answered(halt, || jobs::get(db, id)).await?;
    let mut spec = until_answered(halt, || jobs::spec(db, id)).await?;
    // Rows are named after the spec that was submitted: another assembly of them finds the same segments.
    let digest = spec_digest(&spec)?;
    if let Some(assembly) = &claimed.assembly {
        spec.assembly = assembly.clone();
    }
    let is_open = || async {
        until_answered(halt, || chunks::open(db, id)).await.map(|spans| !spans.is_empty())
    };
    let open_before = is_open().await?;
    let selection = Selection::of(db, id, &spec, halt).await?;
    let before = match &selection {
        Some(selection) => selection.funnel.clone(),
        None => funnel(shared, &spec, id, halt).await?,
    };
    let total = until_answered(halt, || chunks::covered(db, id)).await?;
    let export = Export { shared, job: id, spec_digest: &digest, total, halt };
    let segments = export.segments().await?;
    // A retry may have opened chunks again while documents were read.
    let partial = open_before || is_open().await?;
    let seeds = seed_origin(shared, &spec, halt).await?;
    let models = models(shared, &spec, halt).await?;
    let benchmarks = wanted(shared, &spec.assembly, halt).await?;
    let surplus = selection.as_ref().map_or(0, |selection| selection.surplus);
    let run = ManifestRun { surplus, ..manifest_run(shared, &job, &spec) };
    let dir = corpora_dir(&shared.scratch).join(id.to_string());
    let sidecars = sidecars_dir(&shared.scratch, id);
    let inputs = Inputs {
        spec,
        selection,
        segments,
        sidecars,
        before,
        partial,
        seeds,
        models,
        benchmarks,
        run,
    };
    let tokenizer = tokenizer_file(shared, &inputs.spec.assembly)?;
    let (place, halt) = (dir.clone(), halt.clone());
    let manifest = blocking(move || inputs.assemble(tokenizer.as_deref(), &place, &halt)).await??;
    Ok(Written { dir, manifest })
}

/// What an assembly takes along to the thread that does it.
struct Inputs {
    spec: PinnedJobSpec,
    selection: Option<Selection>,
    segments: Vec<Segment>,
    sidecars: PathBuf,
    before: RowFunnel,
    partial: bool,
    seeds: SeedOrigin,
    models: Models,
    benchmarks: Option<WantedBenchmarks>,
    run: ManifestRun,
}

impl Inputs {
    fn assemble(
        self,
        tokenizer: Option<&Path>,
        dir: &Path,
        halt: &CancellationToken,
    ) -> Result<Manifest, Fault> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::file(dir, &error));
            }
            _ => {}
        }
        let tokenizer = read_tokenizer(tokenizer, &self.spec.assembly)?;
        let request = AssembleRequest {
            spec: &self.spec,
            takes: &|seq| self.selection.as_ref().is_none_or(|selection| selection.takes(seq)),
            segments: self.segments,
            before: self.before,
            partial: self.partial,
            seeds: self.seeds,
            model_hashes: self.models.hashes,
            instruction_set: self.models.instruction_set,
            run: self.run,
            limits: ShardLimits::default(),
            tokenizer: tokenizer.as_ref(),
            keep_going: &|| !halt.is_cancelled(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            sidecars: &self.sidecars,
            benchmarks: self.benchmarks.as_ref(),
            against: &[],
        };
        let assembled = assemble(&request, dir)?;
        let Work { documents_reused, read, .. } = assembled.work;
        tracing::debug!(documents_reused, read, "documents were examined");
        Ok(assembled.manifest)
    }
}

/// Prompts that did not become accepted documents, by reason.
async fn funnel(
    shared: &Shared,
    spec: &PinnedJobSpec,
    job: uuid::Uuid,
    halt: &CancellationToken,
) -> Result<RowFunnel, Fault> {
    let cells = until_answered(halt, || jobs::cells(&shared.db, job)).await?;
    let mut funnel = RowFunnel { prompts: spec.total, ..RowFunnel::default() };
    for cell in cells {
        let counts = match cell.verdict {
            Verdict::Accepted => continue,
            Verdict::Rejected => &mut funnel.rejected,
            Verdict::Failed => &mut funnel.failed,
        };
        *counts.entry(cell.reason).or_default() += cell.count;
    }
    Ok(funnel)
}

/// Licence and source of a job's seeds, as their importer named them.
pub(super) async fn seed_origin(
    shared: &Shared,
    spec: &PinnedJobSpec,
    halt: &CancellationToken,
) -> Result<SeedOrigin, Fault> {
    let pinned = &spec.seed_set;
    let reference = Reference { slug: pinned.slug.clone(), version: Some(pinned.version) };
    let set = until_answered(halt, || seed_sets::get(&shared.db, &reference)).await?;
    Ok(SeedOrigin { license: set.license, source: set.source.unwrap_or_default() })
}

/// The local model's file and kernels, if the job may have used it.
///
/// What the database noted comes first, so that a worker without the engine writes the same manifest.
async fn models(
    shared: &Shared,
    spec: &PinnedJobSpec,
    halt: &CancellationToken,
) -> Result<Models, Fault> {
    let Some(name) = spec.endpoints.iter().find(|name| name.as_str() == LOCAL_ENDPOINT) else {
        return Ok(Models::default());
    };
    if let Some(noted) = until_answered(halt, || endpoints::noted_model(&shared.db, name)).await? {
        return Ok(Models {
            hashes: noted.sha256.map(|sha256| (noted.model, sha256)).into_iter().collect(),
            instruction_set: noted.instruction_set,
        });
    }
    if !shared.has_local {
        return Ok(Models::default());
    }
    match (shared.backends)(name.clone()).await {
        Ok(backend) => {
            let provenance = backend.provenance();
            let hashes = provenance.model_sha256.map(|sha256| (backend.model().to_owned(), sha256));
            Ok(Models {
                hashes: hashes.into_iter().collect(),
                instruction_set: provenance.instruction_set,
            })
        }
        Err(message) => {
            tracing::warn!(message, "the local model is not known to the manifest");
            Ok(Models::default())
        }
    }
}

fn manifest_run(shared: &Shared, job: &Job, spec: &PinnedJobSpec) -> ManifestRun {
    ManifestRun {
        job: job.id,
        hornbook: env!("CARGO_PKG_VERSION").to_owned(),
        submitted_at: job.created_at,
        assembled_at: shared.clock.now(),
        usage: job.usage,
        surplus: 0,
        labels: spec
            .metadata
            .iter()
            .map(|(label, value)| (label.clone(), Value::String(value.clone())))
            .collect(),
    }
}
