//! The machine and the programs that were measured, in words.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::Outcome;
use crate::ambient::Ambient;

use super::setting::Setting;
use super::theirs::{self, BATCHED_BENCH};

/// Instruction sets that kernels of either engine choose by.
const FLAGS: [&str; 14] = [
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
];

/// Names and values, in the order of telling.
pub(crate) fn describe(setting: &Setting<'_>) -> Outcome<Vec<(&'static str, String)>> {
    let used = format!("; measured on {}, {} threads", setting.cores, setting.threads);
    let mut facts = this(setting.ambient, setting.profile, &used);
    let model = setting.model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    facts.push(("model", model));
    if setting.llama_cpp_dir.is_some() {
        facts.push(("llama.cpp", theirs::version(&setting.llama_cpp(BATCHED_BENCH)?)?));
    }
    Ok(facts)
}

/// The machine and the build; `used` says what of the cores was used.
pub(crate) fn this(
    ambient: &Ambient,
    profile: &'static str,
    used: &str,
) -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let cpu = read("/proc/cpuinfo");
    let field = |name: &str| {
        let value = cpu.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let flags = field("flags") + &field("Features");
    let flags: BTreeSet<&str> = flags.split_whitespace().collect();
    let flags: Vec<&str> = FLAGS.into_iter().filter(|flag| flags.contains(flag)).collect();
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let memory_kib = memory.lines().next().and_then(|line| line.split_whitespace().nth(1));
    let memory_kib: f64 = memory_kib.and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN);
    vec![
        (
            "processor",
            format!(
                "{}, family {}, model {}",
                field("model name"),
                field("cpu family"),
                field("model\t")
            ),
        ),
        ("instruction sets", flags.join(" ")),
        ("cores", format!("{cores}{used}")),
        ("memory", format!("{:.1} GiB", memory_kib / 1024.0 / 1024.0)),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("load average at the start", read("/proc/loadavg")),
        ("compiler", first_line(Command::new("rustc").arg("--version"))),
        ("profile", profile.to_owned()),
        ("commit", commit(ambient)),
    ]
}

fn commit(ambient: &Ambient) -> String {
    let git = |arguments: &[&str]| {
        first_line(Command::new("git").current_dir(&ambient.root).args(arguments))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_empty() { commit } else { format!("{commit}, with changes") }
}

/// The first line that a program prints; empty if it could not be run.
fn first_line(command: &mut Command) -> String {
    let printed = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&printed).lines().next().unwrap_or_default().trim().to_owned()
}
