//! Measures decontamination on planted leaks; `cargo xtask bench corpus decontaminate` runs it.
//!
//! `decontamination [SEED [CLEAN_DOCUMENTS [LEAKS_EACH]]]` prints a JSON object. Or, on files:
//! `decontamination --files BENCHMARK.jsonl DIR EXTENSION`, where every such file below DIR is a document.
#![expect(clippy::print_stdout, reason = "a program talks on stdout")]

mod code;
mod dress;
mod prose;
mod truth;

use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use hornbook_corpus::decontaminate::{Benchmarks, Decontaminator, HitLine, Mode};
use serde_json::{Value, json};

use prose::{Draw, Language};
use truth::{CLEAN, Document, Items, LEAKS};

const SEED: u64 = 20_261_123;
const CLEAN_DOCUMENTS: usize = 40_000;
const LEAKS_EACH: usize = 1_000;
const TICKS_PER_S: f64 = 100.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--files") {
        return on_files(&arguments[1..]);
    }
    let number = |place: usize, default: usize| {
        arguments.get(place).map_or(Ok(default), |text| text.parse::<usize>())
    };
    let seed = number(0, SEED as usize)? as u64;
    let (clean, each) = (number(1, CLEAN_DOCUMENTS)?, number(2, LEAKS_EACH)?);
    let language = Language::new();
    let mut draw = Draw(seed);
    let items = Items::new(&language, &mut draw);
    let mut benchmarks = Benchmarks::default();
    for item in &items.all {
        benchmarks.push(item.clone())?;
    }
    let start_s = cpu_s();
    let strict = Decontaminator::new(&benchmarks, Mode::Strict);
    let built_s = cpu_s() - start_s;
    let reference = Decontaminator::new(&benchmarks, Mode::Reference);
    let mut rows = Vec::new();
    let mut speeds = Vec::new();
    for kind in LEAKS.into_iter().chain(CLEAN) {
        let count = match kind {
            "clean prose" => clean,
            "clean code" | "clean tables" => clean / 4,
            _ => each,
        };
        let documents: Vec<Document> =
            (0..count).map(|_| truth::document(kind, &items, &language, &mut draw)).collect();
        let strict = judge(&strict, &items, &documents);
        let reference = judge(&reference, &items, &documents);
        if kind.starts_with("clean") {
            speeds.push((documents.len(), bytes(&documents), strict.cpu_s, reference.cpu_s));
        }
        rows.push(json!({
            "kind": kind, "leak": LEAKS.contains(&kind), "documents": documents.len(),
            "strict": {"removed": strict.removed, "named": strict.named},
            "reference": {"removed": reference.removed, "named": reference.named},
        }));
    }
    println!(
        "{}",
        json!({
            "seed": seed,
            "items": items.all.len(),
            "not_checked": {
                "strict": strict.not_checked().len(), "reference": reference.not_checked().len(),
            },
            "index_bytes": {
                "strict": strict.memory_bytes(), "reference": reference.memory_bytes(),
            },
            "index_cpu_s": built_s,
            "rows": rows,
            "speed": speed(&speeds),
        })
    );
    Ok(())
}

struct Judged {
    removed: usize,
    /// Documents of which the very item was named that was planted.
    named: usize,
    cpu_s: f64,
}

fn judge(found: &Decontaminator, items: &Items, documents: &[Document]) -> Judged {
    let start_s = cpu_s();
    let hits: Vec<_> = documents.iter().map(|document| found.check(&document.text)).collect();
    let cpu_s = cpu_s() - start_s;
    let removed = hits.iter().filter(|hits| !hits.is_empty()).count();
    let named = documents.iter().zip(&hits).filter(|(document, hits)| {
        document
            .leaks
            .is_some_and(|item| hits.iter().any(|hit| *hit.item_id == *items.all[item].item_id))
    });
    Judged { removed, named: named.count(), cpu_s }
}

fn bytes(documents: &[Document]) -> usize {
    documents.iter().map(|document| document.text.len()).sum()
}

fn speed(measured: &[(usize, usize, f64, f64)]) -> Value {
    let documents: usize = measured.iter().map(|one| one.0).sum();
    let bytes: usize = measured.iter().map(|one| one.1).sum();
    let strict_s: f64 = measured.iter().map(|one| one.2).sum();
    let reference_s: f64 = measured.iter().map(|one| one.3).sum();
    json!({
        "documents": documents,
        "document_bytes": bytes as f64 / documents as f64,
        "strict_docs_per_cpu_s": documents as f64 / strict_s,
        "reference_docs_per_cpu_s": documents as f64 / reference_s,
    })
}

/// Prints every hit of strict mode in files, and a count at the end.
fn on_files(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [benchmark, dir, extension] = arguments else {
        return Err("needs a benchmark's file, a directory and an extension".into());
    };
    let mut benchmarks = Benchmarks::default();
    benchmarks.load("benchmark", BufReader::new(File::open(benchmark)?))?;
    let found = Decontaminator::new(&benchmarks, Mode::Strict);
    let mut counts = found.counts();
    let mut files = Vec::new();
    walk(Path::new(dir), OsStr::new(extension), &mut files)?;
    files.sort();
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        let hits = found.check(&text);
        counts.note(&found, &hits);
        for hit in hits {
            println!("{}", serde_json::to_string(&HitLine { id: &file.to_string_lossy(), hit })?);
        }
    }
    println!("{}", serde_json::to_string(&found.report(&counts))?);
    Ok(())
}

fn walk(dir: &Path, extension: &OsStr, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            walk(&path, extension, files)?;
        } else if kind.is_file() && path.extension() == Some(extension) {
            files.push(path);
        }
    }
    Ok(())
}

/// CPU seconds of this process so far.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|tick| tick.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}
