//! Read Parquet, sign, find candidates, verify, decide: what the benchmark measures.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use hornbook_corpus::AssembleError;
use hornbook_corpus::near::{Decisions, NearConfig, NearDedup, sign_all};
use serde_json::{Value, json};

use crate::Outcome;
use crate::rows::{Rows, score};

/// Rows signed together.
const BATCH: usize = 1_024;
/// Clock ticks per second in `/proc`; Linux shows 100 to every program.
const TICKS_PER_S: f64 = 100.0;

/// Decides, writes who goes to `out`, and tells what it took.
pub(crate) fn run(dir: &Path, config: NearConfig, out: &Path) -> Outcome<Value> {
    let failed = |error: AssembleError| error.to_string();
    let before_s = cpu_s();
    let (mut documents, mut bytes) = (0_u32, 0_u64);
    let (scheme, threads) = (config.scheme, config.threads);
    let mut near = NearDedup::new(config).map_err(failed)?;
    let mut rows = Rows::open(dir);
    loop {
        let (mut texts, mut scores) = (Vec::new(), Vec::new());
        while texts.len() < BATCH {
            let Some(row) = rows.next()? else { break };
            scores.push(score(&row));
            bytes += row.text.len() as u64;
            texts.push(row.text);
        }
        if texts.is_empty() {
            break;
        }
        for (signature, score) in sign_all(scheme, threads, &texts).iter().zip(scores) {
            near.add(documents, score, signature).map_err(failed)?;
            documents += 1;
        }
    }
    let signed_s = cpu_s();
    let candidates = near.candidates().map_err(failed)?;
    let paired_s = cpu_s();
    let (mut rows, mut at) = (Rows::open(dir), 0);
    let decisions = candidates.decide(&mut |index: u32| loop {
        let row = rows.next().map_err(AssembleError::Row)?;
        let row = row.ok_or_else(|| AssembleError::Row(format!("row {index} is gone")))?;
        at += 1;
        if at > index {
            return Ok(row.text);
        }
    });
    let decisions = decisions.map_err(failed)?;
    let decided_s = cpu_s();
    let peak_kib = status_kib("VmHWM:");
    write(&decisions, out)?;
    let stats = decisions.stats;
    Ok(json!({
        "documents": documents, "text_bytes": bytes,
        "cpu_s": decided_s - before_s,
        "sign_cpu_s": signed_s - before_s,
        "pair_cpu_s": paired_s - signed_s,
        "decide_cpu_s": decided_s - paired_s,
        "peak_bytes": peak_kib * 1024.0,
        "scratch_peak_bytes": decisions.scratch_peak_bytes,
        "compared_documents": stats.compared_documents,
        "candidate_pairs": stats.candidate_pairs,
        "verified_pairs": stats.verified_pairs,
        "pairs_passed_over": stats.pairs_passed_over,
        "largest_bucket": stats.largest_bucket,
        "dropped": stats.dropped,
        "clusters": stats.clusters,
    }))
}

/// Who goes and who stays in its place, a line each.
fn write(decisions: &Decisions, out: &Path) -> Outcome {
    let mut text = Vec::new();
    for it in &decisions.dropped {
        let written = writeln!(text, "{}\t{}\t{}", it.index, it.root, it.jaccard);
        written.map_err(|error| error.to_string())?;
    }
    fs::write(out, text).map_err(|error| format!("{}: {error}", out.display()))
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
