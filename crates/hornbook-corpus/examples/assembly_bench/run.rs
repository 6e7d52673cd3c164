//! The assembly itself, and what it took.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use hornbook_corpus::{BuildRequest, CpuTime, MANIFEST_PATH, ShardLimits, build};
use hornbook_types::{AssemblySpec, DedupMode, GateSpec, ShardFormat};
use serde_json::{Value, json};

use crate::{BENCHMARK, Outcome, SOURCE};

/// Clock ticks per second in `/proc`; Linux shows 100 to every program.
const TICKS_PER_S: f64 = 100.0;

/// Gates, cap, exact and near deduplication, strict decontamination, Parquet.
pub(crate) fn build_corpus(dir: &Path, out: &Path, threads: usize) -> Outcome<Value> {
    let (sources, benchmarks) = ([dir.join(SOURCE)], [dir.join(BENCHMARK)]);
    let gates = GateSpec { max_opening_share: Some(0.01), ..GateSpec::default() };
    let assembly = AssemblySpec {
        dedup: DedupMode::Near,
        format: vec![ShardFormat::Parquet],
        ..AssemblySpec::default()
    };
    let request = BuildRequest {
        name: "Benchmark",
        sources: &sources,
        named: &[],
        mix: None,
        benchmarks: &benchmarks,
        against: &[],
        licenses: BTreeMap::new(),
        assembly,
        gates: Some(gates),
        threads,
        hornbook: env!("CARGO_PKG_VERSION"),
        limits: ShardLimits::default(),
        tokenizer: None,
        on_progress: &|_| {},
        cpu: CpuTime::UNKNOWN,
        keep_going: &|| true,
    };
    let began = Instant::now();
    let summary = build(&request, out).map_err(|error| error.to_string())?;
    let wall_s = began.elapsed().as_secs_f64();
    let manifest = out.join(MANIFEST_PATH);
    let manifest = fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    Ok(json!({
        "documents": summary.documents,
        "rows": summary.rows,
        "removed": summary.removed,
        "commit": summary.commit,
        "manifest": manifest,
        "judged": summary.work.judged,
        "reused": summary.work.documents_reused,
        "wall_s": wall_s,
        "cpu_s": cpu_s(),
        "peak_bytes": status_kib("VmHWM:") * 1024.0,
    }))
}

/// CPU seconds of this program so far, its threads included.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|it| it.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}

fn status_kib(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(f64::NAN)
}
