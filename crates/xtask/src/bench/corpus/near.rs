//! `cargo xtask bench corpus near`: near deduplication from Parquet to the decision.
//!
//! The program that does it is an example of hornbook-corpus; each of its verbs is a process of its own. Documents are
//! drawn from a fixed seed, one in five a variant of another whose Jaccard is known, so recall and precision are
//! computed from the texts and from nothing that near deduplication says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

use super::super::figure::Bar;
use super::near_peers;
use super::options::Options;
use super::report::{Line, Report};

/// Least recall at a true Jaccard of .7 to .8, .8 to .9 and .9 to 1.
const RECALL: [(&str, f64); 3] = [(".7 to .8", 0.75), (".8 to .9", 0.99), (".9 to 1", 0.999)];
/// Least share of dropped documents whose root stays and has a Jaccard of .7 or more.
const PRECISION: f64 = 0.97;
/// Least documents per CPU second.
const PER_CPU_S: f64 = 25_000.0;
/// Most memory.
const PEAK_MB: f64 = 600.0;
/// Bytes that near deduplication may hold in buffers.
const MEMORY_BYTES: &str = "268435456";
/// Documents of the table, and of its line for memory with `--full`.
const DOCUMENTS: u64 = 100_000;
const MANY: u64 = 2_000_000;
/// Documents with `--quick`, and of the comparison with others.
const FEW: u64 = 10_000;
/// What the extrapolation is for, in bytes of text.
const LARGE_BYTES: f64 = 100e9;

/// The built program and its files.
pub(crate) struct Bench {
    program: PathBuf,
    dir: PathBuf,
}

/// Measures; a missed bar is said, and a failure only with `--check`.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let options = Options::read(arguments)?;
    let bench = Bench::prepare(&options, ambient)?;
    let mut report = Report::new("corpus-near", &options, ambient);
    let documents = if options.quick { FEW } else { DOCUMENTS };
    measure(&bench, documents, &options, &mut report)?;
    if options.full {
        let corpus = bench.corpus(MANY)?;
        let answer = bench.dedup(&corpus, "20x6", 1)?;
        report.lines.push(memory(MANY, &answer)?);
        report.samples.insert("many".to_owned(), answer);
        fs::remove_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    }
    if options.peers {
        let corpus = bench.corpus(FEW)?;
        near_peers::measure(&bench, &corpus, FEW, ambient, &mut report)?;
    }
    report.publish(&options, ambient)
}

fn measure(bench: &Bench, documents: u64, options: &Options, report: &mut Report) -> Outcome {
    let corpus = bench.corpus(documents)?;
    let mut answers = Vec::new();
    for time in 1..=options.repetitions {
        let answer = bench.dedup(&corpus, "20x6", 1)?;
        println!("time {time}: {answer}");
        answers.push(answer);
    }
    let Some(answer) = answers.first().cloned() else { return Ok(()) };
    let per = |name: &str| -> Outcome<Vec<f64>> {
        answers.iter().map(|it| Ok(documents as f64 / number(it, name)?)).collect()
    };
    let bytes = number(&answer, "text_bytes")? / documents as f64;
    report.lines.push(
        Line::new("read Parquet, sign, pair, verify, decide", "docs/CPU-s", per("cpu_s")?)
            .against(format!("{documents} documents of {bytes:.0} bytes"))
            .bar(Bar::AtLeast(PER_CPU_S)),
    );
    for (what, name) in [
        ("of it reading and signing", "sign_cpu_s"),
        ("of it reading again, verifying and deciding", "decide_cpu_s"),
    ] {
        report.lines.push(Line::new(what, "docs/CPU-s", per(name)?));
    }
    let one = bench.dropped(&corpus)?;
    judge(bench, &corpus, documents, "20x6", true, report)?;
    bench.dedup(&corpus, "20x6", 2)?;
    let differences = f64::from(u8::from(bench.dropped(&corpus)? != one));
    let line = Line::new("two threads decide otherwise than one", "", vec![differences]);
    report.lines.push(line.bar(Bar::AtMost(0.0)));
    report.lines.push(memory(documents, &answer)?);
    report.notes.push(disk(&answer)?);
    report.samples.insert("20x6".to_owned(), Value::Array(answers));
    let others = bench.dedup(&corpus, "14x8", 1)?;
    let per_cpu_s = documents as f64 / number(&others, "cpu_s")?;
    report.lines.push(Line::new("14x8: the same work", "docs/CPU-s", vec![per_cpu_s]));
    judge(bench, &corpus, documents, "14x8", false, report)
}

/// Recall and precision of what was decided last.
fn judge(
    bench: &Bench,
    corpus: &Path,
    documents: u64,
    scheme: &str,
    has_bars: bool,
    report: &mut Report,
) -> Outcome {
    let verdict = bench.judge(corpus, documents)?;
    for (band, (what, least)) in (1_usize..).zip(RECALL) {
        let recall = vec![number(&verdict["recall"], band)?];
        let line = Line::new(format!("{scheme}: recall at Jaccard {what}"), "", recall)
            .against(format!("{} pairs", verdict["pairs"][band]));
        report.lines.push(if has_bars { line.bar(Bar::AtLeast(least)) } else { line });
    }
    let precision = vec![number(&verdict, "precision")?];
    let against = format!(
        "{} dropped, least Jaccard to the root {:.4}, decoys among them {}",
        verdict["dropped"],
        number(&verdict, "least_jaccard")?,
        verdict["found"][0]
    );
    let line = Line::new(format!("{scheme}: precision"), "", precision).against(against);
    report.lines.push(if has_bars { line.bar(Bar::AtLeast(PRECISION)) } else { line });
    report.samples.insert(format!("{scheme}-verdict"), verdict);
    Ok(())
}

fn memory(documents: u64, answer: &Value) -> Outcome<Line> {
    let peak_mb = number(answer, "peak_bytes")? / 1e6;
    Ok(Line::new(format!("most memory, {documents} documents"), "MB", vec![peak_mb])
        .against(format!("{:.0} MB of disk at most", number(answer, "scratch_peak_bytes")? / 1e6))
        .bar(Bar::AtMost(PEAK_MB)))
}

/// What the disk and the time of one run make for a large corpus: multiplication, no measurement.
fn disk(answer: &Value) -> Outcome<String> {
    let documents = number(answer, "documents")?;
    let per_document = number(answer, "scratch_peak_bytes")? / documents;
    let many = LARGE_BYTES / number(answer, "text_bytes")? * documents;
    Ok(format!(
        "On disk {per_document:.0} bytes per document; 100 GB of such text are {:.1} million documents: {:.1} GB of disk, \
         {:.2} CPU-hours.",
        many / 1e6,
        per_document * many / 1e9,
        number(answer, "cpu_s")? / documents * many / 3_600.0
    ))
}

/// A number in an answer.
pub(crate) fn number(
    answer: &Value,
    name: impl serde_json::value::Index + std::fmt::Display,
) -> Outcome<f64> {
    let found = answer.get(&name).and_then(Value::as_f64);
    found.ok_or_else(|| format!("the answer has no {name}: {answer}"))
}

impl Bench {
    fn prepare(options: &Options, ambient: &Ambient) -> Outcome<Self> {
        let mut command = ambient.cargo();
        // The whole workspace is named so that dependencies get the features that everything else builds them with.
        command.args(["build", "--workspace", "--example", "near_bench"]);
        if options.release {
            command.arg("--release");
        }
        shell::run(&mut command)?;
        let folder = if options.release { "release" } else { "debug" };
        let program = ambient.target.join(folder).join("examples/near_bench");
        Ok(Self { program, dir: ambient.target.join("bench/corpus-near") })
    }

    /// A corpus of so many documents, generated.
    fn corpus(&self, documents: u64) -> Outcome<PathBuf> {
        let corpus = self.dir.join(documents.to_string());
        match fs::remove_dir_all(&corpus) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", corpus.display()));
            }
            _ => println!("generating {documents} documents"),
        }
        self.ask(&["generate".as_ref(), corpus.as_os_str(), documents.to_string().as_ref()])?;
        Ok(corpus)
    }

    /// Decides, and tells what it took.
    pub(crate) fn dedup(&self, corpus: &Path, scheme: &str, threads: usize) -> Outcome<Value> {
        let out = Self::decided(corpus);
        let threads = threads.to_string();
        self.ask(&[
            "dedup".as_ref(),
            corpus.as_os_str(),
            scheme.as_ref(),
            threads.as_ref(),
            MEMORY_BYTES.as_ref(),
            out.as_os_str(),
        ])
    }

    /// Recall and precision of what lies in [`decided`](Self::decided).
    pub(crate) fn judge(&self, corpus: &Path, documents: u64) -> Outcome<Value> {
        let (documents, out) = (documents.to_string(), Self::decided(corpus));
        self.ask(&["judge".as_ref(), corpus.as_os_str(), documents.as_ref(), out.as_os_str()])
    }

    fn dropped(&self, corpus: &Path) -> Outcome<Vec<u8>> {
        let path = Self::decided(corpus);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Where a run writes who goes and who stays in its place.
    pub(crate) fn decided(corpus: &Path) -> PathBuf {
        corpus.join("dropped.tsv")
    }

    fn ask(&self, arguments: &[&std::ffi::OsStr]) -> Outcome<Value> {
        answer(Command::new(&self.program).args(arguments))
    }
}

/// Runs a program that answers with one line of JSON.
pub(crate) fn answer(command: &mut Command) -> Outcome<Value> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("could not run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("{name} said '{line}': {error}"))
}
