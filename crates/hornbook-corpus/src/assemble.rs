//! From segments to a corpus: one pass in the order of prompts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hornbook_types::{
    CorpusFile, CorpusRow, DedupMode, Manifest, ManifestContent, ManifestRun, PinnedJobSpec,
    Reason, RowFunnel,
};

use crate::card::{CardFacts, card};
use crate::dedup::{Dedup, TextHash};
use crate::error::AssembleError;
use crate::hashing::sha256_hex;
use crate::manifest::{MANIFEST_PATH, commit_of, spec_digest};
use crate::segment::Segment;
use crate::shards::{ShardLimits, ShardWriter};

/// Path of the dataset card below a corpus.
const CARD_PATH: &str = "README.md";

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
    pub keep_going: &'a dyn Fn() -> bool,
}

/// What was counted while rows went by.
#[derive(Default)]
struct Tally {
    tokens: u64,
    funnel: RowFunnel,
    models: BTreeMap<String, Option<String>>,
    lines: BTreeMap<(String, String), u64>,
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
    let mut tally = Tally { funnel: request.before.clone(), ..Tally::default() };
    let mut shards = ShardWriter::new(out, &request.spec.assembly.format, request.limits)?;
    let mut dedup = Dedup::default();
    tally.funnel.accepted = 0;
    for segment in segments {
        segment.read(|row, hash| {
            if !(request.keep_going)() {
                return Err(AssembleError::Stopped);
            }
            take_row(request, row, hash, &mut tally, &mut dedup, &mut shards)
        })?;
    }
    let funnel = &mut tally.funnel;
    funnel.ended = funnel.accepted
        + funnel.rejected.values().sum::<u64>()
        + funnel.failed.values().sum::<u64>();
    let mut files = shards.finish()?;
    let digest = spec_digest(request.spec)?;
    let facts = CardFacts {
        spec: request.spec,
        spec_digest: &digest,
        partial: request.partial,
        seeds: &request.seeds,
        funnel: &tally.funnel,
        tokens: tally.tokens,
        models: &tally.models,
        lines: &tally.lines,
    };
    files.push(write_file(out, CARD_PATH, card(&facts).as_bytes())?);
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let manifest = Manifest {
        content: ManifestContent {
            commit: commit_of(&files),
            spec_digest: digest,
            partial: request.partial,
            rows: tally.funnel.rows,
            tokens: tally.tokens,
            token_counts: "endpoint usage".to_owned(),
            files,
            spec: request.spec.clone(),
            models: tally.models,
            counts: tally.funnel,
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

fn take_row(
    request: &AssembleRequest<'_>,
    row: CorpusRow,
    hash: TextHash,
    tally: &mut Tally,
    dedup: &mut Dedup,
    shards: &mut ShardWriter,
) -> Result<(), AssembleError> {
    if !(request.takes)(row.seq) {
        return Ok(());
    }
    let funnel = &mut tally.funnel;
    funnel.accepted += 1;
    // Near deduplication keeps at most what exact deduplication keeps.
    if request.spec.assembly.dedup != DedupMode::None && !dedup.is_first(hash) {
        let reason = Reason::DuplicateExact.as_str().to_owned();
        *funnel.dropped.entry(reason).or_default() += 1;
        return Ok(());
    }
    funnel.rows += 1;
    tally.tokens += u64::from(row.token_length);
    let formats = funnel.cells.entry(row.audience.clone()).or_default();
    *formats.entry(row.format.clone()).or_default() += 1;
    if !tally.models.contains_key(&row.model) {
        let known = request.model_hashes.get(&row.model).cloned();
        tally.models.insert(row.model.clone(), known);
    }
    *tally.lines.entry((row.template.clone(), row.audience.clone())).or_default() += 1;
    shards.write(row)
}

fn write_file(out: &Path, name: &str, bytes: &[u8]) -> Result<CorpusFile, AssembleError> {
    let path = out.join(name);
    fs::write(&path, bytes).map_err(AssembleError::io(&path))?;
    Ok(CorpusFile {
        path: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: sha256_hex(bytes),
        rows: None,
    })
}
