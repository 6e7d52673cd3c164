//! llama.cpp's own `llama-batched-bench`, and the files that it is given.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Outcome, shell};

use super::figure::{Phase, Sample};
use super::process;
use super::run::Shape;
use super::setting::Setting;

/// Its program that times batches.
pub(crate) const BATCHED_BENCH: &str = "llama-batched-bench";
/// Its program that makes files of other types.
pub(crate) const QUANTIZE: &str = "llama-quantize";

/// How it is run.
pub(crate) struct Way {
    /// Flash attention.
    pub(crate) flash: bool,
    /// One prompt is computed and copied, and counts as every sequence's.
    pub(crate) once: bool,
    /// Most tokens of one pass.
    pub(crate) pass_tokens: usize,
}

/// Runs a batch.
pub(crate) fn measure(
    setting: &Setting<'_>,
    shape: Shape,
    file_type: Option<&str>,
    way: Way,
) -> Outcome<Sample> {
    let prompt = shape.shared + shape.own;
    let file = match file_type {
        Some(name) => requantised(setting, name),
        None => setting.model.clone(),
    };
    let mut command = process::pinned(&setting.cores, &setting.llama_cpp(BATCHED_BENCH)?);
    command
        .args(["--output-format", "jsonl", "--model"])
        .arg(&file)
        .args(["--threads", &setting.threads.to_string()])
        .args(["--flash-attn", if way.flash { "on" } else { "off" }])
        .args(["--ctx-size", &context(shape).to_string()])
        .args(["--ubatch-size", &way.pass_tokens.to_string()])
        .args(["-npp", &prompt.to_string()])
        .args(["-ntg", &shape.new.to_string()])
        .args(["-npl", &shape.sequences.to_string()]);
    if way.once {
        command.arg("-pps");
    }
    let watched = process::watch(&mut command, &[], &setting.dir.join("llama-batched-bench.log"))?;
    let (ended_s, answer) = watched
        .lines
        .iter()
        .find_map(|(at_s, line)| Some((*at_s, serde_json::from_str::<Value>(line).ok()?)))
        .ok_or("llama-batched-bench told nothing; the context may be too small")?;
    let seconds = |name: &str| {
        answer[name].as_f64().ok_or_else(|| format!("llama-batched-bench told no {name}"))
    };
    let (prompt_s, decode_s) = (seconds("t_pp")?, seconds("t_tg")?);
    // It prints its line as soon as the second phase is over, and nothing long lies between the two.
    let decode_from_s = ended_s - decode_s;
    Ok(Sample {
        prompt: Phase {
            tokens: (shape.sequences * prompt) as f64,
            wall_s: prompt_s,
            cpu_s: watched.cpu_between(decode_from_s - prompt_s, decode_from_s),
        },
        decode: Phase {
            tokens: (shape.sequences * shape.new) as f64,
            wall_s: decode_s,
            cpu_s: watched.cpu_between(decode_from_s, ended_s),
        },
        others_cores: watched.others_cores,
    })
}

/// Positions for all sequences; each gets an equal share, which it rounds to whole 256s.
fn context(shape: Shape) -> usize {
    shape.sequences * (shape.shared + shape.own + shape.new).next_multiple_of(256)
}

/// Makes a file of another type out of the model, for every run anew.
pub(crate) fn requantise(setting: &Setting<'_>, name: &str) -> Outcome {
    let (file_type, pure) = match name.strip_suffix("-pure") {
        Some(file_type) => (file_type, true),
        None => (name, false),
    };
    let mut command = Command::new(setting.llama_cpp(QUANTIZE)?);
    command.arg("--allow-requantize");
    if pure {
        command.arg("--pure");
    }
    command.arg(&setting.model).arg(requantised(setting, name)).arg(file_type);
    shell::output(command.arg(setting.threads.to_string())).map(|_| ())
}

fn requantised(setting: &Setting<'_>, name: &str) -> PathBuf {
    let stem = setting.model.file_stem().unwrap_or_default().to_string_lossy();
    setting.dir.join(format!("{stem}.as-{name}.gguf"))
}

/// What a build says of itself.
pub(crate) fn version(program: &Path) -> Outcome<String> {
    let told = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|error| format!("could not run {}: {error}", program.display()))?;
    // Which of the two it prints to has changed before.
    let told = [told.stdout, told.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    let lines: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines.join(", "))
}
