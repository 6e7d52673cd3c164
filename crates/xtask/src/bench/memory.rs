//! The row `memory`: 64 sequences of 2,048 positions each, all at once.

use crate::Outcome;

use super::figure::{Bar, Figure};
use super::ours;
use super::report::{Line, Report};
use super::setting::Setting;

const SEQUENCES: usize = 64;
const PROMPT_TOKENS: usize = 1_536;
const NEW_TOKENS: usize = 512;
/// Most memory, as a multiple of weights, keys and values.
const BAR: f64 = 1.2;
const MIB: f64 = 1024.0 * 1024.0;

/// Fills an engine once: its memory is the same every time.
pub(crate) fn measure(setting: &Setting<'_>, report: &mut Report) -> Outcome {
    println!("filling {SEQUENCES} sequences with {} positions", PROMPT_TOKENS + NEW_TOKENS);
    let sizes = [("--sequences", SEQUENCES), ("--own", PROMPT_TOKENS), ("--new", NEW_TOKENS)];
    let arguments: Vec<String> =
        sizes.iter().flat_map(|(name, size)| [(*name).to_owned(), size.to_string()]).collect();
    let (answer, _) = ours::ask(setting, "fill", &arguments, &[])?;
    let mib = |name: &str| ours::number(&answer, name).map(|bytes| bytes / MIB);
    let (peak, weights, kv) = (mib("peak_bytes")?, mib("model_bytes")?, mib("kv_bytes")?);
    report.lines.push(Line {
        row: "memory",
        work: format!("memory, {SEQUENCES} sequences x {} positions", PROMPT_TOKENS + NEW_TOKENS),
        ours: Figure::of("MiB", vec![peak]),
        against: format!("weights {weights:.0} MiB + keys and values {kv:.0} MiB"),
        theirs: Some(Figure::of("MiB", vec![weights + kv])),
        bar: Some(Bar::AtMost(BAR)),
        disturbed: false,
    });
    report.notes.push(format!(
        "Memory: {peak:.0} MiB is the most that the process ever had resident (VmHWM), after loading it was {:.0} MiB; \
         filling took {:.0} s; {} pages of keys and values were held at once at most, of {}.",
        mib("loaded_bytes")?,
        ours::number(&answer, "seconds")?,
        answer["kv_pages_held"],
        answer["kv_pages"],
    ));
    report.samples.insert("memory".to_owned(), answer);
    Ok(())
}
