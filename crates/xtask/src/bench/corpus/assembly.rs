//! `cargo xtask bench corpus assembly`: a whole assembly, from gates to Parquet, with near deduplication and strict
//! decontamination on.
//!
//! The program is an example of hornbook-corpus and every build a process of its own, so that its time and memory are
//! its own and it can be killed. The corpus is compared byte by byte: its manifest holds the hash of every file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

use super::super::figure::Bar;
use super::near::{answer, number};
use super::options::Options;
use super::report::{Line, Report};

/// Most seconds that an assembly may take on two cores.
const WALL_S: f64 = 15.0;
/// What two cores do in that time.
const CPU_S: f64 = 2.0 * WALL_S;
/// Most memory.
const PEAK_MB: f64 = 600.0;
/// Documents of the table, and of its line for memory with `--full`.
const DOCUMENTS: u64 = 100_000;
const MANY: u64 = 2_000_000;
/// Documents with `--quick`.
const FEW: u64 = 5_000;
/// Times that one build is killed; each time a little later than the last.
const KILLS: u32 = 6;

struct Bench {
    program: PathBuf,
    dir: PathBuf,
}

/// Measures; a missed bar is said, and a failure only with `--check`.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let options = Options::read(arguments)?;
    let bench = Bench::prepare(&options, ambient)?;
    let mut report = Report::new("corpus-assembly", &options, ambient);
    measure(&bench, if options.quick { FEW } else { DOCUMENTS }, &options, &mut report)?;
    if options.full {
        let documents = options.many.unwrap_or(MANY);
        let corpus = bench.generate(documents)?;
        let answer = bench.build(&corpus, 2)?;
        println!("{documents} documents: {}", figures(&answer)?);
        report.lines.push(memory(documents, vec![number(&answer, "peak_bytes")? / 1e6]));
        let per_s = documents as f64 / number(&answer, "cpu_s")?;
        let line = Line::new(format!("the same with {documents}"), "docs/CPU-s", vec![per_s]);
        report.lines.push(line);
    }
    clear(&bench.dir)?;
    report.publish(&options, ambient)
}

fn measure(bench: &Bench, documents: u64, options: &Options, report: &mut Report) -> Outcome {
    let corpus = bench.generate(documents)?;
    let mut answers = Vec::new();
    for time in 1..=options.repetitions {
        let answer = bench.build(&corpus, 2)?;
        println!("time {time}: {}", figures(&answer)?);
        answers.push(answer);
    }
    let Some(first) = answers.first().cloned() else { return Ok(()) };
    let of = |name: &str| -> Outcome<Vec<f64>> {
        answers.iter().map(|answer| number(answer, name)).collect()
    };
    let kept = format!("{documents} documents, {} rows", first["rows"]);
    let is_whole = documents == DOCUMENTS;
    let barred = |line: Line, bar| if is_whole { line.bar(bar) } else { line };
    let wall = Line::new("gates to Parquet, two threads", "s", of("wall_s")?).against(kept);
    report.lines.push(barred(wall, Bar::AtMost(WALL_S)));
    let cpu = Line::new("of processors", "CPU-s", of("cpu_s")?);
    report.lines.push(barred(cpu.against("both cores at once: 30".to_owned()), Bar::AtMost(CPU_S)));
    let per_s = of("cpu_s")?.into_iter().map(|cpu_s| documents as f64 / cpu_s).collect();
    report.lines.push(Line::new("whole assembly", "docs/CPU-s", per_s));
    let peaks = of("peak_bytes")?.into_iter().map(|bytes| bytes / 1e6).collect();
    report.lines.push(memory(documents, peaks));
    let one = bench.build(&corpus, 1)?;
    println!("one thread: {}", figures(&one)?);
    let line = Line::new("one thread writes other bytes than two", "", vec![differs(&one, &first)]);
    report.lines.push(line.bar(Bar::AtMost(0.0)));
    let wall_s = number(&first, "wall_s")?;
    let killed = bench.build_killed(&corpus, wall_s)?;
    println!("killed: {}", figures(&killed.answer)?);
    let line = Line::new(
        "killed with SIGKILL, it writes other bytes",
        "",
        vec![differs(&killed.answer, &first)],
    )
    .against(format!(
        "{} kills in one build; the last attempt judged {} documents and knew {}",
        killed.kills, killed.answer["judged"], killed.answer["reused"]
    ));
    report.lines.push(line.bar(Bar::AtMost(0.0)));
    report.notes.push(format!("Left out: {}.", first["removed"]));
    report.samples.insert("builds".to_owned(), Value::Array(answers));
    Ok(())
}

fn memory(documents: u64, peaks_mb: Vec<f64>) -> Line {
    let line = Line::new(format!("most memory, {documents} documents"), "MB", peaks_mb);
    line.bar(Bar::AtMost(PEAK_MB))
}

/// Whether two builds left other bytes: manifests hold the hash of every file, and nothing of the run.
fn differs(one: &Value, other: &Value) -> f64 {
    f64::from(u8::from(one["manifest"] != other["manifest"] || !one["manifest"].is_string()))
}

fn figures(answer: &Value) -> Outcome<String> {
    Ok(format!(
        "{:.2} s, {:.2} CPU-s, {:.0} MB, {} rows, {}",
        number(answer, "wall_s")?,
        number(answer, "cpu_s")?,
        number(answer, "peak_bytes")? / 1e6,
        answer["rows"],
        answer["removed"],
    ))
}

struct Killed {
    answer: Value,
    kills: u32,
}

impl Bench {
    fn prepare(options: &Options, ambient: &Ambient) -> Outcome<Self> {
        let mut command = ambient.cargo();
        // The whole workspace is named so that dependencies get the features that everything else builds them with.
        command.args(["build", "--workspace", "--example", "assembly_bench"]);
        if options.release {
            command.arg("--release");
        }
        shell::run(&mut command)?;
        let folder = if options.release { "release" } else { "debug" };
        let program = ambient.target.join(folder).join("examples/assembly_bench");
        Ok(Self { program, dir: ambient.target.join("bench/corpus-assembly") })
    }

    /// Documents and benchmark items, and nothing else in the directory.
    fn generate(&self, documents: u64) -> Outcome<PathBuf> {
        clear(&self.dir)?;
        let corpus = self.dir.join(documents.to_string());
        println!("generating {documents} documents");
        let mut command = Command::new(&self.program);
        answer(command.arg("generate").arg(&corpus).arg(documents.to_string()))?;
        Ok(corpus)
    }

    /// Builds anew.
    fn build(&self, corpus: &Path, threads: usize) -> Outcome<Value> {
        let out = self.dir.join("out");
        clear(&out)?;
        answer(&mut self.command(corpus, &out, threads))
    }

    /// Builds in one place, killed again and again; then to the end.
    fn build_killed(&self, corpus: &Path, wall_s: f64) -> Outcome<Killed> {
        let out = self.dir.join("killed");
        let mut kills = 0;
        for kill in 0..KILLS {
            let mut command = self.command(corpus, &out, 2);
            let mut child = command
                .stdout(Stdio::null())
                .spawn()
                .map_err(|error| format!("could not run {}: {error}", self.program.display()))?;
            // No two at the same point: early ones fall into the first reading, late ones into what follows.
            let share = (f64::from(kill) + 0.37) / f64::from(KILLS);
            std::thread::sleep(Duration::from_secs_f64(wall_s * share));
            let was_there = child.try_wait().map_err(|error| error.to_string())?.is_none();
            let ended = child.kill().and_then(|()| child.wait());
            ended.map_err(|error| format!("could not kill a build: {error}"))?;
            kills += u32::from(was_there);
            if was_there && out.exists() {
                return Err("a killed build left a corpus behind".to_owned());
            }
        }
        let answer = answer(&mut self.command(corpus, &out, 2))?;
        Ok(Killed { answer, kills })
    }

    fn command(&self, corpus: &Path, out: &Path, threads: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("build").arg(corpus).arg(out).arg(threads.to_string());
        command
    }
}

fn clear(dir: &Path) -> Outcome {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", dir.display()))
        }
        _ => Ok(()),
    }
}
