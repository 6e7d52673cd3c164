//! Texts to tokens; `cargo xtask bench corpus tokens` runs it: `TOKENIZER.json TEXTS.jsonl`.
//!
//! On one thread, so that the time of the processor is that of the work alone. The hash of all ids lets others show
//! that theirs are the same.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use hornbook_corpus::CorpusTokenizer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [tokenizer, texts] => run(Path::new(tokenizer), Path::new(texts)),
        _ => Err("usage: TOKENIZER.json TEXTS.jsonl".to_owned()),
    };
    match outcome {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(tokenizer: &Path, texts: &Path) -> Result<Value, String> {
    let before_s = cpu_s()?;
    let tokenizer =
        CorpusTokenizer::read(tokenizer, "bench", None).map_err(|error| error.to_string())?;
    let loaded_s = cpu_s()?;
    let lines = fs::read_to_string(texts).map_err(|error| error.to_string())?;
    let texts: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    let start_s = cpu_s()?;
    let mut encoder = tokenizer.encoder();
    let mut ids = Vec::new();
    for text in &texts {
        encoder.append(text, &mut ids)?;
    }
    let cpu_s = cpu_s()? - start_s;
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    Ok(json!({
        "documents": texts.len(),
        "bytes": texts.iter().map(String::len).sum::<usize>(),
        "tokens": ids.len(),
        "sha256": hex::encode(Sha256::digest(bytes)),
        "cpu_s": cpu_s,
        "load_cpu_s": loaded_s - before_s,
    }))
}

/// Seconds that this process has computed so far.
fn cpu_s() -> Result<f64, String> {
    let path = "/proc/self/schedstat";
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let nanos: Option<f64> = text.split_whitespace().next().and_then(|it| it.parse().ok());
    nanos.map(|nanos| nanos / 1e9).ok_or_else(|| format!("{path} says {text}"))
}
