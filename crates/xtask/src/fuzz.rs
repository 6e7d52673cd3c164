//! `cargo xtask fuzz gguf`: damaged model files until the time is over.
//!
//! Optional and in no other verb. One process makes and loads case after case; this one watches it:
//! a crash, a panic, more memory or more time than a case may take is a find. Its file is kept and
//! the next process goes on behind it. Cases follow from their numbers alone, so a run is repeated
//! by its first number; no coverage guides them, but most begin as sound files of every
//! architecture, and the outcomes at the end tell how deep they went.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::ambient::Ambient;
use crate::{Outcome, shell};

const DEFAULT_MINUTES: u64 = 10;
/// Longest time for one case on a busy machine.
const CASE_S: u64 = 30;
/// Address space of the process that loads: a sound case takes 30 MB, and stacks that are
/// only reserved 256 MB.
const MEMORY_KIB: u64 = 3 * 1024 * 1024;
/// Lines that the watched process may be ahead.
const LINES: usize = 64;

/// Builds the program that makes and loads the cases, and watches it.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let (minutes, mut number) = options(arguments)?;
    shell::run(ambient.cargo().args([
        "build",
        "--package",
        "hornbook-candle",
        "--example",
        "fuzz_gguf",
    ]))?;
    let program = ambient.target.join("debug").join("examples").join("fuzz_gguf");
    let directory = ambient.target.join("fuzz-gguf");
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("could not make {}: {error}", directory.display()))?;
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut run = Run { program, directory, outcomes: BTreeMap::new(), finds: Vec::new() };
    let first = number;
    println!("loading damaged files for {minutes} minutes, from case {number} on");
    while Instant::now() < end {
        number = run.watch(number, end)?;
    }
    println!("{} cases, {first} to {}", number - first, number.saturating_sub(1));
    for (outcome, count) in &run.outcomes {
        println!("{count:9}  {outcome}");
    }
    if run.finds.is_empty() {
        return Ok(());
    }
    Err(format!("finds:\n  {}", run.finds.join("\n  ")))
}

fn options(arguments: &[String]) -> Outcome<(u64, u64)> {
    let usage = "usage: fuzz gguf [--minutes N] [--first NUMBER]";
    let mut words = arguments.iter().map(String::as_str);
    if words.next() != Some("gguf") {
        return Err(usage.to_owned());
    }
    let (mut minutes, mut first) = (DEFAULT_MINUTES, 0);
    while let Some(word) = words.next() {
        let value = words.next().and_then(|value| value.parse().ok()).ok_or(usage)?;
        match word {
            "--minutes" => minutes = value,
            "--first" => first = value,
            _ => return Err(usage.to_owned()),
        }
    }
    Ok((minutes, first))
}

struct Run {
    program: PathBuf,
    directory: PathBuf,
    outcomes: BTreeMap<String, u64>,
    finds: Vec<String>,
}

impl Run {
    /// Watches one process until it ends or the time does; gives the next case's number.
    fn watch(&mut self, first: u64, end: Instant) -> Outcome<u64> {
        let log = self.directory.join("log");
        let mut child = self.start(first, &log)?;
        let lines = lines(&mut child)?;
        let mut number = first;
        let mut is_loading = false;
        let what = loop {
            match lines.recv_timeout(Duration::from_secs(CASE_S)) {
                Ok(line) => match line.parse() {
                    Ok(next) => (number, is_loading) = (next, true),
                    Err(_) => {
                        *self.outcomes.entry(line).or_default() += 1;
                        is_loading = false;
                        if Instant::now() >= end {
                            break None;
                        }
                    }
                },
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    break Some(format!("took more than {CASE_S} s"));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break Some("ended".to_owned()),
            }
        };
        // It may be gone already, which is why this loop ended.
        let _ = child.kill();
        let status = child.wait().map_err(|error| format!("lost the process: {error}"))?;
        if let Some(what) = what {
            if !is_loading {
                return Err(format!("the process {what} between two cases ({status})"));
            }
            self.keep(number, &format!("{what} ({status}); {}", last_lines(&log)))?;
        }
        Ok(number + 1)
    }

    fn start(&self, first: u64, log: &Path) -> Outcome<Child> {
        let complaints = std::fs::File::create(log)
            .map_err(|error| format!("could not write {}: {error}", log.display()))?;
        Command::new("sh")
            .args([
                "-c",
                &format!("ulimit -c 0; ulimit -v {MEMORY_KIB}; exec nice -n 15 \"$@\""),
                "sh",
            ])
            .arg(&self.program)
            .args(["run", &first.to_string()])
            .arg(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .map_err(|error| format!("could not start {}: {error}", self.program.display()))
    }

    /// Writes the file of a find where a test can be made of it.
    fn keep(&mut self, number: u64, what: &str) -> Outcome {
        let path = self.directory.join(format!("find-{number}.gguf"));
        let make = Command::new(&self.program)
            .args(["make", &number.to_string()])
            .arg(&path)
            .status()
            .map_err(|error| format!("could not make case {number}: {error}"))?;
        let kept = if make.success() { path.display().to_string() } else { "not kept".to_owned() };
        println!("case {number} {what}: {kept}");
        self.finds.push(format!("case {number}: {kept}"));
        Ok(())
    }
}

fn lines(child: &mut Child) -> Outcome<mpsc::Receiver<String>> {
    let output = child.stdout.take().ok_or("the process has no output")?;
    let (sender, lines) = mpsc::sync_channel(LINES);
    std::thread::spawn(move || {
        // Ends with the process, or with whoever reads.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(lines)
}

/// What the process complained about last, for the one line of a find.
fn last_lines(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
