//! From staged sources to a complete corpus in scratch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hornbook_corpus::{
    AssembleError, BuildManifest, BuildRequest, CpuTime, MANIFEST_PATH, NamedSource, ShardLimits,
    build,
};
use hornbook_db::corpora::mixed::Claimed;
use hornbook_types::{CorpusSpec, MixedContent, MixedManifest, MixedRun};
use tokio_util::sync::CancellationToken;

use super::fault::MixedFault;
use super::place_of;
use super::sources::{Staged, stage};
use crate::assemble::tokenizer::{read_tokenizer, tokenizer_file};
use crate::assemble::{Fault, benchmarks};
use crate::segments::blocking;
use crate::shared::Shared;

/// A mixed corpus in scratch.
pub(super) struct Written {
    /// Where its files lie.
    pub(super) dir: PathBuf,
    /// Where its manifest lies, apart from them: that of the build is the build's own.
    pub(super) manifest_path: PathBuf,
    /// The manifest.
    pub(super) manifest: MixedManifest,
}

/// Stages the sources and builds the corpus from them, going on from where a killed worker was.
pub(super) async fn write(
    shared: &Arc<Shared>,
    claimed: &Claimed,
    halt: &CancellationToken,
) -> Result<Written, MixedFault> {
    let place = place_of(&shared.scratch, claimed.key.id);
    tokio::fs::create_dir_all(&place).await.map_err(|error| Fault::file(&place, &error))?;
    let staged = stage(shared, &claimed.spec, &place, halt).await?;
    let dir = place.join("corpus");
    let complete = staged.complete;
    let tokenizer = tokenizer_file(shared, &claimed.spec.assembly)?;
    let mut spec = claimed.spec.clone();
    let benchmarks_dir = place.join("benchmarks");
    let (kept_out, names) =
        benchmarks::files(shared, &spec.assembly, &benchmarks_dir, halt).await?;
    // The files say which versions they are; reports need names alone.
    spec.assembly.decontaminate = names;
    let (out, stop) = (dir.clone(), halt.clone());
    let content =
        blocking(move || build_here(&spec, tokenizer.as_deref(), &staged, &kept_out, &out, &stop))
            .await??;
    let manifest = MixedManifest {
        content: MixedContent { partial: !complete, ..content },
        run: MixedRun {
            corpus: claimed.key.id,
            hornbook: env!("CARGO_PKG_VERSION").to_owned(),
            submitted_at: claimed.created_at,
            assembled_at: shared.clock.now(),
            sources: claimed.spec.sources.clone(),
        },
    };
    let manifest_path = place.join(MANIFEST_PATH);
    let mut json = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| AssembleError::Row(error.to_string()))?;
    json.push(b'\n');
    tokio::fs::write(&manifest_path, json)
        .await
        .map_err(|error| Fault::file(&manifest_path, &error))?;
    Ok(Written { dir, manifest_path, manifest })
}

fn build_here(
    spec: &CorpusSpec,
    tokenizer: Option<&Path>,
    staged: &Staged,
    benchmarks: &[PathBuf],
    out: &Path,
    halt: &CancellationToken,
) -> Result<MixedContent, MixedFault> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let named: Vec<NamedSource> = spec
        .sources
        .iter()
        .map(|source| NamedSource {
            name: source.label(),
            paths: vec![staged.dir.join(source.label())],
        })
        .collect();
    let tokenizer = read_tokenizer(tokenizer, &spec.assembly)?;
    let request = BuildRequest {
        name: &spec.name,
        sources: &[],
        named: &named,
        benchmarks,
        against: &[],
        assembly: spec.assembly.clone(),
        // Ids of jobs are of this run; the corpus is the same in another house.
        mix: Some(spec.mix().by_name()),
        gates: None,
        licenses: staged.licenses.clone(),
        threads,
        hornbook: env!("CARGO_PKG_VERSION"),
        limits: ShardLimits::default(),
        tokenizer: tokenizer.as_ref(),
        on_progress: &|_| {},
        cpu: CpuTime::UNKNOWN,
        keep_going: &|| !halt.is_cancelled(),
    };
    match build(&request, out) {
        // What lies there is of other documents or another spec.
        Err(AssembleError::Request(_)) if out.exists() => {
            std::fs::remove_dir_all(out).map_err(|error| Fault::file(out, &error))?;
            build(&request, out)?;
        }
        outcome => drop(outcome?),
    }
    let path = out.join(MANIFEST_PATH);
    let json = std::fs::read(&path).map_err(|error| Fault::file(&path, &error))?;
    content_of(&json).map_err(|error| AssembleError::Row(error.to_string()).into())
}

/// What the build says of the corpus, in the form that the service keeps.
fn content_of(json: &[u8]) -> Result<MixedContent, serde_json::Error> {
    let built: BuildManifest = serde_json::from_slice(json)?;
    serde_json::from_value(serde_json::to_value(&built.content)?)
}
