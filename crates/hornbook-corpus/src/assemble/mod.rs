//! From documents to a corpus: facts first, then decisions, then one reading in order that writes.
//!
//! A job's segments and plain files go the same way. What an assembly decides depends on the documents, their
//! order and the settings alone: not on threads, nor on how often it was begun.

mod decide;
mod fact;
mod fact_file;
pub(crate) mod limits;
mod near;
mod ordered;
mod part;
mod survey;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hornbook_types::{DedupMode, Manifest, ManifestContent, ManifestRun, PinnedJobSpec, RowFunnel};

pub use survey::CpuTime;

pub(crate) use decide::{Fate, Ledger};
pub(crate) use fact::Fact;
pub(crate) use fact_file::{FactFile, FactTotals};
pub(crate) use near::drop_near;
pub(crate) use part::{Part, Row, Rows};
pub(crate) use survey::Survey;
pub(crate) use write::{Tally, write_file, write_rows};

use crate::card::{CardFacts, Made, Origin, write_card};
use crate::error::AssembleError;
use crate::manifest::{MANIFEST_PATH, commit_of, spec_digest};
use crate::near::NearScheme;
use crate::segment::Segment;
use crate::shards::{ShardLimits, ShardWriter};

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
    /// Asked before every row: false stops the assembly.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
    /// Threads that read and compute; the corpus is the same with any number.
    pub threads: usize,
}

/// Writes shards, dataset card and manifest into `out`, an empty or absent directory.
///
/// Every byte but the manifest's `run` depends on spec, documents and counts alone: not on
/// the order of segments, the clock, the machine or an earlier attempt.
pub fn assemble(request: &AssembleRequest<'_>, out: &Path) -> Result<Manifest, AssembleError> {
    fs::create_dir_all(out).map_err(AssembleError::io(out))?;
    let mut segments: Vec<&Segment> = request.segments.iter().collect();
    segments.sort_unstable_by_key(|segment| segment.lo);
    if segments.windows(2).any(|pair| pair[0].hi > pair[1].lo) {
        return Err(AssembleError::Row("two segments hold the same prompts".to_owned()));
    }
    let parts: Vec<&dyn Part> = segments.iter().map(|segment| *segment as &dyn Part).collect();
    let ledger = decide(request, &parts, out)?;
    let mut tally = Tally { funnel: request.before.clone(), ..Tally::default() };
    tally.funnel.accepted = 0;
    let mut shards = ShardWriter::new(out, &request.spec.assembly.format, request.limits)?;
    let nobody = &mut |_: u32, _: &Row, _: Fate| Ok(());
    write_rows(&parts, &ledger, &mut tally, &mut shards, request.keep_going, nobody)?;
    for (model, sha256) in &mut tally.models {
        *sha256 = request.model_hashes.get(model).cloned();
    }
    let funnel = &mut tally.funnel;
    funnel.ended = funnel.accepted
        + funnel.rejected.values().sum::<u64>()
        + funnel.failed.values().sum::<u64>();
    let mut files = shards.finish()?;
    let digest = spec_digest(request.spec)?;
    let statistics = tally.profile.statistics();
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
        token_counts: TOKEN_COUNTS,
        models: &tally.models,
        lines: &tally.lines,
        statistics: &statistics,
        leaks: None,
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
            token_counts: TOKEN_COUNTS.to_owned(),
            files,
            spec: request.spec.clone(),
            models: tally.models,
            counts: tally.funnel,
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

/// Decides what becomes of each document; work that is needed for that lies in `out` meanwhile.
fn decide(
    request: &AssembleRequest<'_>,
    parts: &[&dyn Part],
    out: &Path,
) -> Result<Ledger, AssembleError> {
    let dedup = request.spec.assembly.dedup;
    let mut ledger = Ledger::default();
    if dedup != DedupMode::Near {
        for part in parts {
            for fact in part.known()?.unwrap_or_default() {
                ledger.push(&fact, (request.takes)(fact.seq))?;
            }
        }
        ledger.decide_exact(dedup);
        return Ok(ledger);
    }
    let scratch = out.join(SCRATCH);
    fs::create_dir_all(&scratch).map_err(AssembleError::io(&scratch))?;
    let survey = Survey {
        gates: None,
        near: Some(NearScheme::DEFAULT),
        benchmarks: None,
        threads: request.threads,
        cpu: CpuTime::UNKNOWN,
        keep_going: request.keep_going,
    };
    let mut files = Vec::with_capacity(parts.len());
    for part in parts {
        let file = survey.facts(*part, &part.digest()?, &scratch)?;
        for fact in file.facts()? {
            let fact = fact?;
            ledger.push(&fact, (request.takes)(fact.seq))?;
        }
        files.push(file);
    }
    ledger.decide_exact(dedup);
    drop_near(&mut ledger, parts, &files, &scratch, request.threads)?;
    fs::remove_dir_all(&scratch).map_err(AssembleError::io(&scratch))?;
    Ok(ledger)
}
