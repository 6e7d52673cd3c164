//! `cargo xtask bench corpus tokens`: what counting tokens costs, beside others on the same texts in the same run.
//!
//! Texts are the library of the installed Python, real prose and code; tokenizers of 32,000 tokens are trained on them
//! with the package that others use, so that nothing needs to be fetched but that package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

use super::super::figure::Bar;
use super::near::{answer, number};
use super::options::Options;
use super::report::{Line, Report};

const SCRIPT: &str = "crates/xtask/src/bench/corpus/tokens.py";
const PACKAGES: [&str; 2] = ["tokenizers==0.23.3", "tiktoken==0.14.0"];
/// Ways of cutting texts: GPT-2's, SmolLM's with digits alone, Llama 3's.
const TOKENIZERS: [&str; 3] = ["gpt2", "digits", "llama3"];
/// Text in megabytes, and with `--quick`.
const MEGABYTES: &str = "20";
const FEW_MEGABYTES: &str = "2";

/// Measures; a missed bar is said, and a failure only with `--check`.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    let options = Options::read(arguments)?;
    let program = build(&options, ambient)?;
    let mut report = Report::new("corpus-tokens", &options, ambient);
    install::ensure(&[install::PYTHON], ambient)?;
    let dir = ambient.target.join("bench/tokens");
    fs::create_dir_all(&dir)
        .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
    let venv = dir.join("venv");
    shell::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let python = venv.join("bin/python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    shell::run(Command::new(&python).args(pip).args(PACKAGES))?;
    let script = ambient.root.join(SCRIPT);
    let theirs = |name: &str| {
        let mut command = Command::new(&python);
        command.arg(&script).arg(name).arg(&dir);
        command
    };
    let megabytes = if options.quick { FEW_MEGABYTES } else { MEGABYTES };
    let texts = answer(theirs("prepare").arg(megabytes))?;
    let bytes = number(&texts, "bytes")?;
    report.notes.push(format!("{} documents of {:.0} bytes.", texts["documents"], {
        bytes / number(&texts, "documents")?
    }));
    for name in TOKENIZERS {
        let ours = |_| {
            answer(
                Command::new(&program)
                    .args([dir.join(format!("{name}.json")), dir.join("texts.jsonl")]),
            )
        };
        let ours = (0..options.repetitions).map(ours).collect::<Outcome<Vec<_>>>()?;
        let Some(first) = ours.first() else { continue };
        let of = |all: &[serde_json::Value], amount: f64| -> Outcome<Vec<f64>> {
            all.iter().map(|one| Ok(amount / 1e6 / number(one, "cpu_s")?)).collect()
        };
        let tokens = number(first, "tokens")?;
        report.lines.push(
            Line::new(format!("{name}: ours"), "million tokens/CPU-s", of(&ours, tokens)?)
                .against(format!("{:.1} MB/CPU-s", largest(&of(&ours, bytes)?))),
        );
        for peer in ["tokenizers", "tiktoken"] {
            // It has no way to cut digits apart first.
            if (name, peer) == ("digits", "tiktoken") {
                continue;
            }
            let told = (0..options.repetitions)
                .map(|_| answer(theirs(peer).arg(name)))
                .collect::<Outcome<Vec<_>>>()?;
            let rate = of(&told, tokens)?;
            let same = told.iter().all(|one| one["sha256"] == first["sha256"]);
            let against = if same { "the same tokens" } else { "other tokens" };
            report.lines.push(
                Line::new(format!("{name}: Python's {peer}"), "million tokens/CPU-s", rate)
                    .against(against.to_owned()),
            );
            let differences = f64::from(u8::from(!same));
            if peer == "tokenizers" {
                let line = Line::new(
                    format!("{name}: tokens differ from the library's"),
                    "",
                    vec![differences],
                );
                report.lines.push(line.bar(Bar::AtMost(0.0)));
            }
            report.samples.insert(format!("{name}-{peer}"), told.into());
        }
        report.samples.insert(name.to_owned(), ours.into());
    }
    report.publish(&options, ambient)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn build(options: &Options, ambient: &Ambient) -> Outcome<PathBuf> {
    let mut command = ambient.cargo();
    // The whole workspace is named so that dependencies get the features that everything else builds them with.
    command.args(["build", "--workspace", "--example", "token_bench"]);
    if options.release {
        command.arg("--release");
    }
    shell::run(&mut command)?;
    let folder = if options.release { "release" } else { "debug" };
    Ok(Path::new(&ambient.target).join(folder).join("examples/token_bench"))
}
