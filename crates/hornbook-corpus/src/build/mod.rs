//! From files to a corpus, with every document that was dropped accounted for.

mod benchmarks;
mod manifest;
mod named;
mod removed;
mod workspace;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hornbook_types::{
    AssemblySpec, DedupMode, GateSpec, GroupCounts, MixReport, MixSpec, RowFunnel,
};

pub use manifest::{BuildContent, BuildManifest, BuildSpec, BuiltFrom, SourceLicense};
pub(crate) use removed::REMOVED_PATH;

use crate::assemble::{
    ColumnTotals, CpuTime, Decided, Deciding, Digested, Part, Survey, Tally, WantedBenchmarks,
    Work, count_tokens, counted_by, write_file, write_hits, write_rows,
};
use crate::card::{CardFacts, Made, Origin, write_card};
use crate::error::AssembleError;
use crate::manifest::{MANIFEST_PATH, commit_of};
use crate::mix::Output;
use crate::near::NearScheme;
use crate::shards::ShardLimits;
use crate::sources::{SourceFile, find_references};
use crate::tokens::{CorpusTokenizer, CountRequest, Tokens};
use removed::RemovedWriter;
use workspace::Workspace;

/// What a corpus is built from, and how.
pub struct BuildRequest<'a> {
    /// What people call the corpus.
    pub name: &'a str,
    /// Files and directories of documents, in the order in which the corpus has them.
    pub sources: &'a [PathBuf],
    /// Further files and directories, under the names by which a mix calls them; they come after `sources`.
    pub named: &'a [NamedSource],
    /// Files of benchmarks to keep out: JSONL, `{benchmark, item_id, text}` a line.
    pub benchmarks: &'a [PathBuf],
    /// Files and directories of other corpora: what is a duplicate of one of their documents goes.
    pub against: &'a [PathBuf],
    /// How documents are assembled; `decontaminate` names benchmarks of those files, none means all.
    pub assembly: AssemblySpec,
    /// How much of which source there is; without, everything once. Needs a name for every source.
    pub mix: Option<MixSpec>,
    /// Gates that documents must pass; none are tried without.
    pub gates: Option<GateSpec>,
    /// Licences of the sources, by the name of a file or of a directory above it.
    pub licenses: BTreeMap<String, SourceLicense>,
    /// Threads that read and compute; the corpus is the same with any number.
    pub threads: usize,
    /// Version of the software, for the manifest.
    pub hornbook: &'a str,
    /// Sizes of shards.
    pub limits: ShardLimits,
    /// The processor's time.
    pub cpu: CpuTime<'a>,
    /// What counts tokens, if the assembly names it.
    pub tokenizer: Option<&'a CorpusTokenizer>,
    /// Told now and then how far the build is.
    pub on_progress: &'a (dyn Fn(BuildProgress) + Sync),
    /// Asked now and then: false stops the build, to be resumed by another.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
}

/// Files and directories of documents that a mix has a name for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSource {
    /// The name: the label of one of the mix's sources.
    pub name: String,
    /// The files and directories, in the order in which their documents count.
    pub paths: Vec<PathBuf>,
}

/// How far a build is with the work that takes longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// Documents that were gone through for their tokens.
    pub documents_counted: u64,
    /// Documents that there are.
    pub documents: u64,
    /// Bytes of text that were encoded to know them; less than all where an earlier build did a part.
    pub bytes_encoded: u64,
}

/// What a build did.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildSummary {
    /// Documents read.
    pub documents: u64,
    /// Rows of the corpus.
    pub rows: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Documents that are not in the corpus, by reason.
    pub removed: BTreeMap<String, u64>,
    /// What is in each split.
    pub splits: BTreeMap<String, GroupCounts>,
    /// What became of the mix, if there was one.
    pub mix: Option<MixReport>,
    /// Commit of the corpus.
    pub commit: String,
    /// Documents deduplicated per second of processor time, from reading them to the decision.
    pub dedup_docs_per_cpu_s: Option<f64>,
    /// Documents searched for benchmarks per second of processor time, without reading them.
    pub decont_docs_per_cpu_s: Option<f64>,
    /// How much had to be found out; nothing where the corpus was complete already.
    pub work: Work,
}

/// Builds a corpus in `out`, an empty or absent directory, which appears when everything in it is complete.
///
/// Until then work lies in a hidden directory beside it, from where the same request goes on after a kill. Where the
/// corpus of the same request is complete already, it stays as it is.
pub fn build(request: &BuildRequest<'_>, out: &Path) -> Result<BuildSummary, AssembleError> {
    let sources = named::all_sources(request)?;
    if sources.is_empty() {
        return Err(AssembleError::Request("there is no source".to_owned()));
    }
    if request.gates.as_ref().is_some_and(|gates| !gates.mask.is_empty()) {
        // Better no corpus than one with what its owner believes to be masked.
        return Err(AssembleError::Request("documents of files cannot be masked".to_owned()));
    }
    let against = find_references(request.against)?;
    if request.assembly.dedup == DedupMode::None && !against.is_empty() {
        let message = "documents of other corpora go by deduplication, which is off";
        return Err(AssembleError::Request(message.to_owned()));
    }
    let (wanted, benchmarks) =
        benchmarks::read(request.benchmarks, &request.assembly.decontaminate)?;
    let workspace = Workspace::open(out)?;
    let from = |files: &[SourceFile]| -> Result<Vec<BuiltFrom>, AssembleError> {
        files.iter().map(BuiltFrom::of).collect()
    };
    let spec = BuildSpec {
        assembly: request.assembly.clone(),
        mix: request.mix.clone(),
        gates: request.gates.clone(),
        tokenizer: request.tokenizer.map(|tokenizer| tokenizer.facts().clone()),
        licenses: request.licenses.clone(),
        sources: from(&sources)?,
        benchmarks,
        against: from(&against)?,
    };
    let digest = spec.digest()?;
    if let Some(done) = workspace.published(&digest)? {
        workspace.clear()?;
        return Ok(summary_of(&done.content, None));
    }
    let decided = decide(request, &sources, &against, &spec, wanted.as_ref(), &workspace)?;
    let tokens = count(request, &digested(&sources, &spec.sources), &decided, workspace.facts())?;
    let place = workspace.begin_corpus()?;
    let pieces = Pieces {
        request,
        parts: sources.iter().map(|source| source as &dyn Part).collect(),
        against: against.iter().map(|source| source as &dyn Part).collect(),
        wanted: wanted.as_ref(),
        decided: &decided,
    };
    let manifest = pieces.write(spec, digest, tokens, &place, workspace.dir())?;
    workspace.publish(&place)?;
    Ok(summary_of(&manifest.content, Some(&decided)))
}

/// Reads every source, and decides what becomes of each document.
fn decide(
    request: &BuildRequest<'_>,
    sources: &[SourceFile],
    against: &[SourceFile],
    spec: &BuildSpec,
    benchmarks: Option<&WantedBenchmarks>,
    workspace: &Workspace,
) -> Result<Decided, AssembleError> {
    let (assembly, mix) = (&request.assembly, request.mix.as_ref());
    let gates = request.gates.as_ref();
    let survey = Survey {
        gates,
        near: (assembly.dedup == DedupMode::Near).then_some(NearScheme::DEFAULT),
        benchmarks,
        threads: request.threads,
        cpu: request.cpu,
        keep_going: request.keep_going,
    };
    let (sidecars, scratch) = (workspace.facts(), workspace.dir());
    let deciding = Deciding { survey, assembly, mix, gates, takes: &|_| true, sidecars, scratch };
    deciding.decide(&digested(sources, &spec.sources), &digested(against, &spec.against))
}

/// The tokens of what stays, if anybody asked for them.
fn count(
    request: &BuildRequest<'_>,
    parts: &[Digested<'_>],
    decided: &Decided,
    dir: &Path,
) -> Result<Option<Tokens>, AssembleError> {
    let Some(tokenizer) = request.tokenizer else { return Ok(None) };
    let (counted, encoded) = (AtomicU64::new(0), AtomicU64::new(0));
    let on_progress = &|documents, bytes| {
        (request.on_progress)(BuildProgress {
            documents_counted: counted.fetch_add(documents, Ordering::Relaxed) + documents,
            documents: decided.totals.documents,
            bytes_encoded: encoded.fetch_add(bytes, Ordering::Relaxed) + bytes,
        });
    };
    let count = CountRequest {
        tokenizer,
        with_ids: request.assembly.format.iter().any(|format| format.has_tokens()),
        dir,
        threads: request.threads,
        keep_going: request.keep_going,
        on_progress,
    };
    count_tokens(&count, parts, decided).map(Some)
}

/// Files with the hashes that are known of them.
fn digested<'a>(files: &'a [SourceFile], known: &[BuiltFrom]) -> Vec<Digested<'a>> {
    let pairs = files.iter().zip(known);
    pairs.map(|(file, from)| (file as &dyn Part, from.sha256.clone())).collect()
}

/// Everything that is known when the corpus is written.
struct Pieces<'a> {
    request: &'a BuildRequest<'a>,
    parts: Vec<&'a dyn Part>,
    against: Vec<&'a dyn Part>,
    wanted: Option<&'a WantedBenchmarks>,
    decided: &'a Decided,
}

impl Pieces<'_> {
    fn write(
        &self,
        spec: BuildSpec,
        digest: String,
        tokens: Option<Tokens>,
        place: &Path,
        scratch: &Path,
    ) -> Result<BuildManifest, AssembleError> {
        let Self { request, parts, decided, .. } = self;
        let Decided { ledger, facts, totals, arrangement, .. } = decided;
        let formats = &spec.assembly.format;
        let mut output = Output::new(arrangement, place, scratch, formats, request.limits, tokens)?;
        let all = [parts.as_slice(), &self.against].concat();
        let mut removed = RemovedWriter::create(place, &all, facts)?;
        let mut tally = Tally::default();
        let on_dropped = &mut |_, row: &_, fate| removed.write(row, fate);
        let (threads, keep_going) = (request.threads, request.keep_going);
        write_rows(parts, ledger, threads, &mut tally, &mut output, keep_going, on_dropped)?;
        tally.funnel.prompts = totals.documents;
        tally.funnel.ended = totals.documents;
        let mut files = output.finish()?;
        files.push(removed.finish()?);
        let mut decontamination = None;
        if let Some(wanted) = self.wanted {
            let (file, mut report) = write_hits(place, wanted.decontaminator(), parts, facts)?;
            report.documents = totals.documents - tally.funnel.rejected.values().sum::<u64>();
            files.push(file);
            decontamination = Some(report);
        }
        let statistics = tally.profile.statistics();
        let token_counts = match &spec.tokenizer {
            Some(tokenizer) => counted_by(tokenizer),
            None => manifest::token_counts(totals),
        };
        let facts = CardFacts {
            name: request.name,
            made: Made::Files(&spec),
            spec_digest: &digest,
            partial: false,
            assembly: &spec.assembly,
            gates: spec.gates.as_ref(),
            origins: &origins(&spec),
            funnel: &tally.funnel,
            tokens: tally.tokens,
            token_counts: &token_counts,
            models: &tally.models,
            lines: &tally.lines,
            statistics: &statistics,
            mix: arrangement.report.as_ref(),
            leaks: decontamination.as_ref(),
        };
        write_card(&facts, place, &mut files)?;
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let content = BuildContent {
            commit: commit_of(&files),
            spec_digest: digest,
            partial: false,
            rows: tally.funnel.rows,
            tokens: tally.tokens,
            token_counts,
            files,
            spec,
            models: tally.models.into_keys().filter(|model| !model.is_empty()).collect(),
            counts: tally.funnel,
            statistics,
            mix: arrangement.report.clone(),
            decontamination,
        };
        let manifest = BuildManifest { content, hornbook: request.hornbook.to_owned() };
        write_file(place, MANIFEST_PATH, &manifest.to_json()?)?;
        Ok(manifest)
    }
}

/// The sources with what was said of their licences, in the order of the corpus.
fn origins(spec: &BuildSpec) -> Vec<Origin> {
    let of = |from: &BuiltFrom| {
        let said = spec.licenses.iter().find(|(name, _)| covers(name, &from.file));
        let said = said.map(|(_, said)| said.clone()).unwrap_or_default();
        let name = from.source.clone().unwrap_or_else(|| from.file.clone());
        Origin { name, license: said.license, source: said.source }
    };
    let mut origins: Vec<Origin> = spec.sources.iter().map(of).collect();
    // The files of a mix's source stand together, and have one licence.
    origins.dedup();
    origins
}

/// Whether a file is the one of that name, or below the directory of that name.
fn covers(name: &str, file: &str) -> bool {
    file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn summary_of(content: &BuildContent, decided: Option<&Decided>) -> BuildSummary {
    let RowFunnel { prompts, rejected, dropped, .. } = &content.counts;
    let totals = decided.map_or_else(ColumnTotals::default, |decided| decided.totals.clone());
    let per_second =
        |nanos: u64| (nanos > 0).then(|| totals.documents as f64 / (nanos as f64 / 1e9));
    let deduplicates = content.spec.assembly.dedup != DedupMode::None;
    let dedup = decided.map(|decided| decided.nanos + totals.dedup_nanos);
    BuildSummary {
        documents: *prompts,
        rows: content.rows,
        tokens: content.tokens,
        removed: rejected.iter().chain(dropped).map(|(why, n)| (why.clone(), *n)).collect(),
        splits: content.statistics.splits.clone(),
        mix: content.mix.clone(),
        commit: content.commit.clone(),
        dedup_docs_per_cpu_s: dedup.filter(|_| deduplicates).and_then(per_second),
        decont_docs_per_cpu_s: per_second(totals.decontaminate_nanos),
        work: decided.map_or_else(Work::default, |decided| decided.work),
    }
}

/// Makes sure that a file and its name outlive the machine's next breath.
fn sync_tree(dir: &Path) -> Result<(), AssembleError> {
    for entry in fs::read_dir(dir).map_err(AssembleError::io(dir))? {
        let path = entry.map_err(AssembleError::io(dir))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            sync(&path)?;
        }
    }
    sync(dir)
}

fn sync(path: &Path) -> Result<(), AssembleError> {
    let file = fs::File::open(path).map_err(AssembleError::io(path))?;
    file.sync_all().map_err(AssembleError::io(path))
}
