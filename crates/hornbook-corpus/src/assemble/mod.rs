//! From documents to a corpus: facts first, then decisions, then one reading in order that writes.
//!
//! A job's segments and plain files go the same way. What an assembly decides depends on the documents, their
//! order and the settings alone: not on threads, nor on how often it was begun.

mod column;
mod decide;
mod deciding;
mod examine;
mod fact;
mod fact_file;
mod hits;
mod judging;
pub(crate) mod limits;
mod near;
mod ordered;
mod part;
mod survey;
mod tokens;
mod wanted;
mod work;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hornbook_types::{AssemblySpec, DedupMode, Manifest, ManifestContent, ManifestRun};
use hornbook_types::{PinnedJobSpec, RowFunnel};

pub use survey::CpuTime;
pub use tokens::count_segment;
pub use wanted::WantedBenchmarks;
pub use work::Work;

pub(crate) use column::ColumnTotals;
pub(crate) use decide::{Fate, Ledger};
pub(crate) use deciding::{Decided, Deciding, Digested};
pub(crate) use fact::Fact;
pub(crate) use fact_file::FactFile;
pub(crate) use hits::write_hits;
pub(crate) use ordered::ordered;
pub(crate) use part::{Part, Row, Rows};
pub(crate) use survey::Survey;
pub(crate) use tokens::{count_tokens, counted_by};
pub(crate) use write::{Tally, write_file, write_rows};

use crate::card::{CardFacts, Made, Origin, write_card};
use crate::decontaminate::DecontaminationReport;
use crate::error::AssembleError;
use crate::manifest::{MANIFEST_PATH, commit_of, spec_digest};
use crate::mix::Output;
use crate::near::NearScheme;
use crate::segment::Segment;
use crate::shards::ShardLimits;
use crate::sources::SourceFile;
use crate::tokens::{CorpusTokenizer, CountRequest};

/// Path of the dataset card below a corpus.
pub(crate) const CARD_PATH: &str = "README.md";

/// Directory of what is needed while decisions are made; it is gone when the corpus is complete.
const SCRATCH: &str = ".scratch";

/// Who counted the tokens of a job's documents.
const TOKEN_COUNTS: &str = "endpoint usage";

/// Where a corpus's seeds come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedOrigin {
    /// Licence as the importer named it; empty when nobody did.
    pub license: String,
    /// Source as the importer named it; empty when nobody did.
    pub source: String,
}

/// Everything that a corpus is made from.
#[derive(Clone)]
pub struct AssembleRequest<'a> {
    /// The job's pinned spec.
    pub spec: &'a PinnedJobSpec,
    /// Says by number which accepted documents belong to the corpus; the others are passed over and
    /// counted nowhere.
    pub takes: &'a dyn Fn(u64) -> bool,
    /// Segments in any order; their ranges must not overlap.
    pub segments: Vec<Segment>,
    /// `prompts`, `failed` and `rejected` of the job; the rest is counted here, so that it adds up.
    pub before: RowFunnel,
    /// True unless every prompt of the job ended.
    pub partial: bool,
    /// Where the seeds come from.
    pub seeds: SeedOrigin,
    /// SHA-256 of model files, by model name, where they are known.
    pub model_hashes: BTreeMap<String, String>,
    /// Kernels that computed, where they are known.
    pub instruction_set: Option<String>,
    /// About this run; written into the manifest and nowhere else.
    pub run: ManifestRun,
    /// Sizes of shards.
    pub limits: ShardLimits,
    /// What counts tokens, if the spec's assembly names it.
    pub tokenizer: Option<&'a CorpusTokenizer>,
    /// Asked before every row: false stops the assembly.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// Threads that read and compute; the corpus is the same with any number.
    pub threads: usize,
    /// Where what was found out about segments is kept, for this assembly and others of the same segments.
    pub sidecars: &'a Path,
    /// Benchmarks to keep out.
    pub benchmarks: Option<&'a WantedBenchmarks>,
    /// Documents of other corpora: what is a duplicate of one of them goes.
    pub against: &'a [SourceFile],
}

/// An assembled corpus.
#[derive(Debug)]
pub struct Assembled {
    /// The manifest, which lies in the corpus too.
    pub manifest: Manifest,
    /// What was found of benchmarks, where any were given.
    pub decontamination: Option<DecontaminationReport>,
    /// How much had to be found out.
    pub work: Work,
}

/// Writes shards, dataset card and manifest into `out`, an empty or absent directory.
///
/// Every byte but the manifest's `run` depends on spec, documents, benchmarks and counts alone: not on
/// the order of segments, the clock, the machine or an earlier attempt.
pub fn assemble(request: &AssembleRequest<'_>, out: &Path) -> Result<Assembled, AssembleError> {
    fs::create_dir_all(out).map_err(AssembleError::io(out))?;
    let mut segments: Vec<&Segment> = request.segments.iter().collect();
    segments.sort_unstable_by_key(|segment| segment.lo);
    if segments.windows(2).any(|pair| pair[0].hi > pair[1].lo) {
        return Err(AssembleError::Row("two segments hold the same prompts".to_owned()));
    }
    let parts = segments.iter().map(|segment| digested(*segment)).collect::<Result<Vec<_>, _>>()?;
    let scratch = out.join(SCRATCH);
    fs::create_dir_all(&scratch).map_err(AssembleError::io(&scratch))?;
    let decided = decide(request, &parts, &scratch)?;
    fs::remove_dir_all(&scratch).map_err(AssembleError::io(&scratch))?;
    let count = request.tokenizer.map(|tokenizer| CountRequest {
        tokenizer,
        with_ids: request.spec.assembly.format.iter().any(|format| format.has_tokens()),
        dir: request.sidecars,
        threads: request.threads,
        keep_going: request.keep_going,
        on_progress: &|_, _| {},
    });
    let tokens = count.map(|count| count_tokens(&count, &parts, &decided)).transpose()?;
    let parts: Vec<&dyn Part> = parts.iter().map(|part| part.0).collect();
    let mut tally = Tally { funnel: request.before.clone(), ..Tally::default() };
    tally.funnel.accepted = 0;
    let nobody = &mut |_: u32, _: &Row, _: Fate| Ok(());
    let Decided { ledger, arrangement, .. } = &decided;
    let formats = &request.spec.assembly.format;
    let mut output = Output::new(arrangement, out, &scratch, formats, request.limits, tokens)?;
    let keep_going = request.keep_going;
    write_rows(&parts, ledger, request.threads, &mut tally, &mut output, keep_going, nobody)?;
    for (model, sha256) in &mut tally.models {
        *sha256 = request.model_hashes.get(model).cloned();
    }
    let funnel = &mut tally.funnel;
    funnel.ended = funnel.accepted
        + funnel.rejected.values().sum::<u64>()
        + funnel.failed.values().sum::<u64>();
    let mut files = output.finish()?;
    let mut decontamination = None;
    if let Some(wanted) = request.benchmarks {
        let (file, mut report) = write_hits(out, wanted.decontaminator(), &parts, &decided.facts)?;
        report.documents = decided.totals.documents;
        files.push(file);
        decontamination = Some(report);
    }
    let manifest = describe(request, out, files, &tally, decontamination.as_ref())?;
    Ok(Assembled { manifest, decontamination, work: decided.work })
}

fn digested(part: &dyn Part) -> Result<Digested<'_>, AssembleError> {
    Ok((part, part.digest()?))
}

/// Writes card and manifest beside the other files.
fn describe(
    request: &AssembleRequest<'_>,
    out: &Path,
    mut files: Vec<hornbook_types::CorpusFile>,
    tally: &Tally,
    leaks: Option<&DecontaminationReport>,
) -> Result<Manifest, AssembleError> {
    let digest = spec_digest(request.spec)?;
    let statistics = tally.profile.statistics();
    let tokenizer = request.tokenizer.map(|tokenizer| tokenizer.facts().clone());
    let token_counts = tokenizer.as_ref().map_or_else(|| TOKEN_COUNTS.to_owned(), counted_by);
    let facts = CardFacts {
        name: &request.spec.name,
        made: Made::Job(request.spec),
        spec_digest: &digest,
        partial: request.partial,
        assembly: &request.spec.assembly,
        gates: Some(&request.spec.gates),
        origins: &[Origin {
            name: format!("seed set {}", request.spec.seed_set),
            license: request.seeds.license.clone(),
            source: request.seeds.source.clone(),
        }],
        funnel: &tally.funnel,
        tokens: tally.tokens,
        token_counts: &token_counts,
        models: &tally.models,
        lines: &tally.lines,
        statistics: &statistics,
        mix: None,
        leaks,
    };
    write_card(&facts, out, &mut files)?;
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let manifest = Manifest {
        content: ManifestContent {
            commit: commit_of(&files),
            spec_digest: digest,
            partial: request.partial,
            rows: tally.funnel.rows,
            tokens: tally.tokens,
            token_counts,
            tokenizer,
            files,
            spec: request.spec.clone(),
            models: tally.models.clone(),
            counts: tally.funnel.clone(),
            statistics,
            instruction_set: request.instruction_set.clone(),
        },
        run: request.run.clone(),
    };
    let mut json = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| AssembleError::Row(error.to_string()))?;
    json.push(b'\n');
    write_file(out, MANIFEST_PATH, &json)?;
    Ok(manifest)
}

/// Decides what becomes of each document.
fn decide(
    request: &AssembleRequest<'_>,
    parts: &[Digested<'_>],
    scratch: &Path,
) -> Result<Decided, AssembleError> {
    let AssembleRequest { spec, benchmarks, sidecars, threads, keep_going, .. } = *request;
    fs::create_dir_all(sidecars).map_err(AssembleError::io(sidecars))?;
    let survey = survey_of(&spec.assembly, benchmarks, threads, keep_going);
    let against: Vec<Digested<'_>> =
        request.against.iter().map(|file| digested(file)).collect::<Result<_, _>>()?;
    let (gates, takes) = (Some(&spec.gates), request.takes);
    let assembly = &spec.assembly;
    let deciding = Deciding { survey, assembly, mix: None, gates, takes, sidecars, scratch };
    deciding.decide(parts, &against)
}

/// What is asked of every document of a job.
fn survey_of<'a>(
    assembly: &AssemblySpec,
    benchmarks: Option<&'a WantedBenchmarks>,
    threads: usize,
    keep_going: &'a (dyn Fn() -> bool + Sync),
) -> Survey<'a> {
    let near = (assembly.dedup == DedupMode::Near).then_some(NearScheme::DEFAULT);
    Survey { gates: None, near, benchmarks, threads, cpu: CpuTime::UNKNOWN, keep_going }
}

/// Finds out ahead what an assembly of that spec will ask of a segment's documents, and keeps it in `sidecars`.
///
/// What is there already is not found out again.
pub fn examine_segment(
    segment: &Segment,
    assembly: &AssemblySpec,
    benchmarks: Option<&WantedBenchmarks>,
    sidecars: &Path,
    threads: usize,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Work, AssembleError> {
    fs::create_dir_all(sidecars).map_err(AssembleError::io(sidecars))?;
    let survey = survey_of(assembly, benchmarks, threads, keep_going);
    let mut work = Work::default();
    survey.facts(segment, &segment.digest()?, sidecars, &mut work)?;
    Ok(work)
}
