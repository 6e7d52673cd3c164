//! What the gates say of a file of documents: rejections by gate and audience, and the processor time.
//!
//! `cargo run --example gate_rates -- FILE.jsonl [AUDIENCES] [GATES.json]` reads documents as the API lists
//! them (`text`, `prompt`, `audience`, `format`, `finish_reason`, `seed_data`; all but `text` may be absent).
//! A document without an audience is judged for each one in the directory AUDIENCES, by default
//! `templates/audiences`. docs/GATES.md has its figures from here.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::hint::black_box;

use hornbook_corpus::{Answer, OpeningCap, judge};
use hornbook_types::{AudienceSpec, FinishReason, GateSpec, OutputKind};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Document {
    text: String,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    audience: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    finish_reason: String,
    #[serde(default)]
    seed_data: Map<String, Value>,
}

type Rates = BTreeMap<String, BTreeMap<String, u64>>;
/// Both grades of each document, by audience and by kind.
type Grades = BTreeMap<String, [Vec<f64>; 2]>;
/// How often every document is judged for its time.
const ROUNDS: u64 = 10;
/// Quantiles of grades that are printed.
const QUANTILES: [usize; 7] = [1, 5, 25, 50, 75, 95, 99];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which file of documents?")?;
    let dir = arguments.next().unwrap_or_else(|| "templates/audiences".to_owned());
    let gates: GateSpec = match arguments.next() {
        Some(path) => serde_json::from_slice(&fs::read(path)?)?,
        None => GateSpec::default(),
    };
    let audiences = audiences(&dir)?;
    let documents: Vec<Document> =
        fs::read_to_string(&file)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (mut by_audience, mut by_kind, mut grades) = (Rates::new(), Rates::new(), Grades::new());
    let mut cap = OpeningCap::new(f64::from(gates.max_opening_share.unwrap_or(1.0)));
    let mut common = 0_u64;
    for document in &documents {
        for (name, audience) in &audiences {
            let own = document.audience.split('@').next().unwrap_or_default();
            if !own.is_empty() && own != name {
                continue;
            }
            let (reason, scores) = reason(&gates, audience, document);
            let kind = [&document.format, &document.source].map(String::as_str).concat();
            for (index, formula) in ["flesch_kincaid", "coleman_liau"].into_iter().enumerate() {
                if let Some(grade) = scores.get(formula).and_then(Value::as_f64) {
                    for key in [name, &kind] {
                        grades.entry(key.clone()).or_default()[index].push(grade);
                    }
                }
            }
            *by_audience.entry(name.clone()).or_default().entry(reason.clone()).or_default() += 1;
            *by_kind.entry(kind).or_default().entry(reason).or_default() += 1;
        }
        common += u64::from(!cap.take(&document.text));
    }
    let mut out = String::new();
    for rates in [by_audience, by_kind] {
        for (name, reasons) in rates {
            let all: u64 = reasons.values().sum();
            out += &format!("{name:<22} {all:>6}");
            for (reason, count) in reasons {
                let percent = count as f64 * 100.0 / all as f64;
                out += &format!("  {reason} {count} ({percent:.1} %)");
            }
            out.push('\n');
        }
        out.push('\n');
    }
    for (name, formulas) in &mut grades {
        for (formula, grades) in ["FK", "CL"].into_iter().zip(formulas) {
            grades.sort_unstable_by(f64::total_cmp);
            out += &format!("{name:<22} {formula} {:>5}", grades.len());
            for quantile in QUANTILES {
                let grade = grades[(grades.len() - 1) * quantile / 100];
                out += &format!("  {quantile}%: {grade:>5.1}");
            }
            out.push('\n');
        }
    }
    let before = cpu_nanos()?;
    let judged = ROUNDS * documents.len() as u64;
    for _ in 0..ROUNDS {
        for document in &documents {
            let own = document.audience.split('@').next().unwrap_or_default();
            let known = audiences.iter().find(|(name, _)| own.is_empty() || own == name);
            let Some((_, audience)) = known else { continue };
            black_box(reason(&gates, audience, black_box(document)));
        }
    }
    let micros = (cpu_nanos()? - before) as f64 / 1_000.0 / judged.max(1) as f64;
    out += &format!("common openings {common}; {micros:.1} us of processor time a document\n");
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())?;
    Ok(())
}

fn reason(
    gates: &GateSpec,
    audience: &AudienceSpec,
    document: &Document,
) -> (String, Map<String, Value>) {
    let answer = Answer {
        prompt: &document.prompt,
        text: &document.text,
        seed: &document.seed_data,
        finish_reason: &FinishReason::from(document.finish_reason.clone()),
        // Four tokens for three words, as in English.
        completion_tokens: document.text.split_whitespace().count() as u64 * 4 / 3,
        output: OutputKind::Text,
    };
    let judgement = judge(gates, audience, answer);
    (judgement.reason.map_or("accepted", |reason| reason.as_str()).to_owned(), judgement.scores)
}

fn audiences(dir: &str) -> Result<Vec<(String, AudienceSpec)>, Box<dyn Error>> {
    let mut audiences = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        audiences.push((name, toml::from_str(&fs::read_to_string(&path)?)?));
    }
    audiences.sort_unstable_by(|a: &(String, AudienceSpec), b| a.0.cmp(&b.0));
    Ok(audiences)
}

/// Time that this process's first thread had on a processor.
fn cpu_nanos() -> Result<u64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    Ok(stat.split(' ').next().ok_or("no time in schedstat")?.parse()?)
}
