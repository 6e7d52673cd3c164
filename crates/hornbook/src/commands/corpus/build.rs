//! `hornbook corpus build`: files become a corpus, with no service and no database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hornbook_corpus::{
    AssembleError, BuildProgress, BuildRequest, BuildSummary, CorpusTokenizer, CpuTime,
    NamedSource, ShardLimits, SourceLicense, build,
};
use hornbook_types::limits::TOKENIZER_NAME_BYTES;
use hornbook_types::{
    AssemblySpec, DedupMode, FieldError, GatePreset, GateSpec, MixSpec, ShardFormat,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{Build, Dedup, Format, Gates};
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output;

/// What a corpus is called unless its spec says otherwise.
const NAME: &str = "Corpus";

/// What most tokenizers' files are called.
const TOKENIZER: &str = "tokenizer";

/// A build's settings in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecFile {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    gates: Option<GateSpec>,
    #[serde(default)]
    licenses: BTreeMap<String, SourceLicense>,
    #[serde(default)]
    mix: Option<MixSpec>,
    #[serde(default)]
    assembly: AssemblySpec,
}

impl SpecFile {
    fn of(assembly: AssemblySpec) -> Self {
        Self { name: None, gates: None, licenses: BTreeMap::new(), mix: None, assembly }
    }
}

/// Builds the corpus and says what became of every document.
pub(crate) async fn run(arguments: Build, as_json: bool) -> Outcome {
    static STOP: AtomicBool = AtomicBool::new(false);
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            STOP.store(true, Ordering::Relaxed);
        }
    });
    let work = tokio::task::spawn_blocking(move || run_here(&arguments, &STOP, as_json));
    work.await.context("building")?
}

fn run_here(arguments: &Build, stop: &AtomicBool, as_json: bool) -> Outcome {
    let SpecFile { name, gates, licenses, mix, assembly } = settings(arguments)?;
    let (sources, named) = sources_of(&arguments.source, mix.is_some());
    let tokenizer = tokenizer(arguments, &assembly)?;
    let bar = counting_bar(as_json || tokenizer.is_none());
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let request = BuildRequest {
        name: name.as_deref().unwrap_or(NAME),
        sources: &sources,
        named: &named,
        benchmarks: &arguments.benchmark,
        against: &arguments.against,
        assembly,
        mix,
        gates,
        licenses,
        threads: arguments.threads.map_or_else(cores, usize::from),
        hornbook: env!("CARGO_PKG_VERSION"),
        limits: ShardLimits::default(),
        tokenizer: tokenizer.as_ref(),
        on_progress: &|progress: BuildProgress| {
            bar.set_length(progress.documents);
            bar.set_position(progress.documents_counted);
        },
        cpu: CpuTime {
            thread: &|| time_of(ClockId::ThreadCPUTime),
            process: &|| time_of(ClockId::ProcessCPUTime),
        },
        keep_going: &|| !stop.load(Ordering::Relaxed),
    };
    let summary = build(&request, &arguments.out);
    bar.finish_and_clear();
    let summary = summary.map_err(failure)?;
    if as_json {
        output::json(&as_value(&summary, &arguments.out))
    } else {
        tell(&summary, &arguments.out)
    }
}

/// Files without a name, and those that a mix has a name for: `NAME=PATH`.
///
/// A path with `=` in it that is there is that path, unless there is a mix.
fn sources_of(arguments: &[PathBuf], mixes: bool) -> (Vec<PathBuf>, Vec<NamedSource>) {
    let (mut sources, mut named) = (Vec::new(), Vec::<NamedSource>::new());
    for path in arguments {
        let parts = path.to_str().and_then(|text| text.split_once('='));
        let Some((name, file)) = parts.filter(|_| mixes || !path.exists()) else {
            sources.push(path.clone());
            continue;
        };
        match named.iter_mut().find(|source| source.name == name) {
            Some(source) => source.paths.push(file.into()),
            None => named.push(NamedSource { name: name.to_owned(), paths: vec![file.into()] }),
        }
    }
    (sources, named)
}

/// Here a source is files, which `--source` gives for its name.
fn check_mix(mix: &MixSpec, faults: &mut Vec<FieldError>) {
    mix.check("/mix", faults);
    for (index, source) in mix.sources.iter().enumerate() {
        if source.job.is_some() || source.import.is_some() {
            let detail = "jobs and imports are the service's; name the source and give its files";
            faults.push(FieldError::new(format!("/mix/sources/{index}"), detail));
        }
    }
}

/// Flags first, then the spec's file, then defaults.
fn settings(arguments: &Build) -> Result<SpecFile, Failure> {
    let mut spec = match &arguments.spec {
        Some(path) => read_spec(path)?,
        None => SpecFile::of(AssemblySpec::default()),
    };
    match arguments.dedup {
        Some(Dedup::None) => spec.assembly.dedup = DedupMode::None,
        Some(Dedup::Exact) => spec.assembly.dedup = DedupMode::Exact,
        Some(Dedup::Near) => spec.assembly.dedup = DedupMode::Near,
        None => {}
    }
    match arguments.gates {
        Some(Gates::None) => spec.gates = None,
        Some(Gates::Default) => spec.gates.get_or_insert_default().preset = GatePreset::Default,
        None => {}
    }
    if !arguments.format.is_empty() {
        spec.assembly.format = arguments.format.iter().copied().map(format).collect();
    }
    if let Some(file) = &arguments.tokenizer {
        spec.assembly.tokenizer.get_or_insert_with(|| tokenizer_name(file));
    }
    if let Some(token) = &arguments.end_of_text {
        spec.assembly.end_of_text = Some(token.clone());
    }
    let mut faults = Vec::new();
    // Which names there are, the benchmark files say.
    let named = std::mem::take(&mut spec.assembly.decontaminate);
    spec.assembly.check("/assembly", &mut faults);
    spec.assembly.decontaminate = named;
    if let Some(gates) = &spec.gates {
        gates.check("/gates", &mut faults);
    }
    if let Some(mix) = &spec.mix {
        check_mix(mix, &mut faults);
    }
    match faults.first() {
        Some(fault) => Err(Failure::usage(format!("{}: {}", fault.pointer, fault.detail))),
        None => Ok(spec),
    }
}

fn format(format: Format) -> ShardFormat {
    match format {
        Format::Parquet => ShardFormat::Parquet,
        Format::JsonlZst => ShardFormat::JsonlZst,
        Format::Messages => ShardFormat::Messages,
        Format::NanoGpt => ShardFormat::NanoGpt,
        Format::Megatron => ShardFormat::Megatron,
        Format::Datatrove => ShardFormat::Datatrove,
    }
}

/// What a tokenizer is called after its file, or the directory of a file that is called what they all are.
fn tokenizer_name(file: &Path) -> String {
    let stem = file.file_stem();
    let directory = file.parent().and_then(Path::file_name);
    let name = if stem.is_some_and(|stem| stem == TOKENIZER) { directory.or(stem) } else { stem };
    let mut name = name.unwrap_or_default().to_string_lossy().into_owned();
    name.retain(|character| character.is_ascii_alphanumeric() || "._-".contains(character));
    name.truncate(TOKENIZER_NAME_BYTES);
    let name = name.trim_start_matches(['.', '_', '-']);
    if name.is_empty() { TOKENIZER.to_owned() } else { name.to_owned() }
}

/// The tokenizer that the settings name, from the file that the command line names.
fn tokenizer(
    arguments: &Build,
    assembly: &AssemblySpec,
) -> Result<Option<CorpusTokenizer>, Failure> {
    match (&arguments.tokenizer, &assembly.tokenizer) {
        (Some(file), Some(name)) => {
            CorpusTokenizer::read(file, name, assembly.end_of_text.as_deref())
                .map(Some)
                .map_err(|error| Failure::usage(error.to_string()))
        }
        (None, Some(name)) => Err(Failure::usage(format!(
            "/assembly/tokenizer: name the file of {name} with --tokenizer"
        ))),
        _ => Ok(None),
    }
}

fn counting_bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("counting tokens [{bar:32}] {pos}/{len} documents");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Either a job's `assembly` alone, or that with what stands beside it.
fn read_spec(path: &Path) -> Result<SpecFile, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("reading {}: {error}", path.display()))
    };
    let json = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let value: Value = serde_json::from_str(&json).map_err(|error| wrong(&error))?;
    let is_whole = value.get("assembly").is_some() || value.get("mix").is_some();
    if is_whole {
        return serde_json::from_value(value).map_err(|error| wrong(&error));
    }
    let assembly = serde_json::from_value(value).map_err(|error| wrong(&error))?;
    Ok(SpecFile::of(assembly))
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn failure(error: AssembleError) -> Failure {
    match error {
        AssembleError::Request(message) => Failure::usage(message),
        AssembleError::Stopped => {
            Failure::new(Code::Error, "stopped; the same command goes on from here")
        }
        error => Failure::error(error.to_string()),
    }
}

fn as_value(summary: &BuildSummary, out: &Path) -> Value {
    json!({
        "out": out,
        "documents": summary.documents,
        "rows": summary.rows,
        "tokens": summary.tokens,
        "commit": summary.commit,
        "removed": summary.removed,
        "splits": summary.splits,
        "mix": summary.mix,
        "dedup_docs_per_cpu_s": summary.dedup_docs_per_cpu_s,
        "decont_docs_per_cpu_s": summary.decont_docs_per_cpu_s,
        "peak_memory_bytes": peak_memory_bytes(),
    })
}

/// The most memory that the process ever had, where the system tells.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

fn tell(summary: &BuildSummary, out: &Path) -> Outcome {
    let BuildSummary { documents, rows, tokens, removed, splits, mix, .. } = summary;
    output::line(&format!(
        "{rows} of {documents} documents, {tokens} tokens in {}",
        out.display()
    ))?;
    for (name, split) in splits {
        output::line(&format!("  {name}: {} documents, {} tokens", split.rows, split.tokens))?;
    }
    for line in mix.iter().flat_map(|mix| &mix.lines) {
        let (name, share) =
            (&line.asked.name, 100.0 * line.tokens as f64 / (*tokens).max(1) as f64);
        output::line(&format!(
            "  {name}: {} tokens of {} wanted ({share:.2} %), {:.2} epochs",
            line.tokens, line.wanted_tokens, line.epochs
        ))?;
    }
    for (reason, count) in removed {
        output::line(&format!("  {count} removed: {reason}"))?;
    }
    for warning in mix.iter().flat_map(|mix| &mix.warnings) {
        output::line(&format!("warning: {warning}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokenizer_is_called_after_its_file() {
        for (file, name) in [
            ("tokenizers/gpt2/tokenizer.json", "gpt2"),
            ("tokenizer.json", "tokenizer"),
            ("/x/smol lm.json", "smollm"),
            ("/x/..json", "tokenizer"),
            ("/x/--é.json", "tokenizer"),
        ] {
            assert_eq!(tokenizer_name(Path::new(file)), name, "{file}");
        }
    }
}
