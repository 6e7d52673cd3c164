//! Near deduplication on a corpus with planted truth; `cargo xtask bench corpus near` runs it.
//!
//! Each verb is a process of its own, so that memory and CPU time are those of that verb alone:
//! `generate DIR DOCUMENTS`, `dedup DIR SCHEME THREADS MEMORY_BYTES OUT`, `judge DIR DOCUMENTS OUT`.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod dedup;
mod judge;
mod planted;
mod prose;
mod rows;
mod shards;

use std::path::Path;
use std::process::ExitCode;

use hornbook_corpus::near::NearConfig;

use planted::Planted;

/// What every verb returns.
type Outcome<T = ()> = Result<T, String>;

/// What every corpus is drawn from.
const SEED: u64 = 20_240_229;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
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

fn run(words: &[&str]) -> Outcome<String> {
    let number = |text: &str| text.parse().map_err(|_| format!("'{text}' is no number"));
    match *words {
        ["generate", dir, documents] => {
            let planted = Planted::new(number(documents)?, SEED);
            shards::generate(&planted, Path::new(dir)).map(|()| "{}".to_owned())
        }
        ["dedup", dir, scheme, threads, memory_bytes, out] => {
            let config = NearConfig {
                scheme: scheme.parse()?,
                threads: number(threads)? as usize,
                memory_bytes: number(memory_bytes)? as usize,
                ..NearConfig::new(dir)
            };
            dedup::run(Path::new(dir), config, Path::new(out)).map(|it| it.to_string())
        }
        ["judge", dir, documents, out] => {
            let planted = Planted::new(number(documents)?, SEED);
            judge::run(&planted, Path::new(dir), Path::new(out)).map(|it| it.to_string())
        }
        _ => Err("usage: generate DIR DOCUMENTS | dedup DIR SCHEME THREADS MEMORY_BYTES OUT | \
                  judge DIR DOCUMENTS OUT"
            .to_owned()),
    }
}
