//! The local engine, through its front door.

use serde_json::Value;

use crate::Outcome;

use super::figure::{Phase, Sample};
use super::process;
use super::run::Shape;
use super::setting::Setting;

/// Runs a batch.
pub(crate) fn measure(setting: &Setting<'_>, shape: Shape, isa: Option<&str>) -> Outcome<Sample> {
    let sizes = [
        ("--sequences", shape.sequences),
        ("--shared", shape.shared),
        ("--own", shape.own),
        ("--new", shape.new),
    ];
    let mut arguments: Vec<String> =
        sizes.iter().flat_map(|(name, size)| [(*name).to_owned(), size.to_string()]).collect();
    if let Some(isa) = isa {
        arguments.extend(["--isa".to_owned(), isa.to_owned()]);
    }
    let (answer, others_cores) = ask(setting, "batch", &arguments, &[])?;
    let told = answer["instruction_set"].as_str();
    if let Some(isa) = isa
        && told != Some(isa)
    {
        return Err(format!("asked for {isa}, and the engine computed with {told:?}"));
    }
    let number = |name: &str| number(&answer, name);
    let mut prompt_tokens = number("prompt_tokens")?;
    if shape.shared == 0 {
        // What was found computed is no work, and only a shared prefix is meant to be found.
        prompt_tokens -= number("cached_tokens")?;
    }
    Ok(Sample {
        prompt: Phase {
            tokens: prompt_tokens,
            wall_s: number("prompt_s")?,
            cpu_s: number("prompt_cpu_s")?,
        },
        decode: Phase {
            tokens: number("decode_tokens")?,
            wall_s: number("decode_s")?,
            cpu_s: number("decode_cpu_s")?,
        },
        others_cores,
    })
}

/// Runs `engine_bench` and returns its answer and the cores that others kept busy meanwhile.
pub(crate) fn ask(
    setting: &Setting<'_>,
    work: &str,
    arguments: &[String],
    input: &[u8],
) -> Outcome<(Value, f64)> {
    let mut command = process::pinned(&setting.cores, &setting.engine_bench);
    command
        .arg(work)
        .arg("--model")
        .arg(&setting.model)
        .args(["--threads", &setting.threads.to_string()])
        .args(arguments);
    let watched = process::watch(&mut command, input, &setting.dir.join("engine_bench.log"))?;
    let line = watched.lines.last().map_or("", |(_, line)| line.as_str());
    let answer = serde_json::from_str(line)
        .map_err(|error| format!("engine_bench answered '{line}': {error}"))?;
    Ok((answer, watched.others_cores))
}

/// A number of an answer.
pub(crate) fn number(answer: &Value, name: &str) -> Outcome<f64> {
    answer[name].as_f64().ok_or_else(|| format!("engine_bench told no {name}"))
}
