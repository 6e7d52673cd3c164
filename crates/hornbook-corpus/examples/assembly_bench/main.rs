//! A whole assembly, from gates to Parquet, of a corpus with planted duplicates and leaks; `cargo xtask bench corpus
//! assembly` runs it.
//!
//! Each verb is a process of its own, so that time and memory are those of that verb alone and it can be killed:
//! `generate DIR DOCUMENTS`, `build DIR OUT THREADS`.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod leaks;
#[path = "../near_bench/planted.rs"]
mod planted;
#[path = "../near_bench/prose.rs"]
mod prose;
mod run;
#[path = "../near_bench/shards.rs"]
mod shards;

use std::path::Path;
use std::process::ExitCode;

use planted::Planted;

/// What every verb returns.
type Outcome<T = ()> = Result<T, String>;

/// What every corpus is drawn from.
const SEED: u64 = 20_240_229;
/// Where the documents lie below the directory.
const SOURCE: &str = "source";
/// Where the items lie that must not be in the corpus.
const BENCHMARK: &str = "benchmark.jsonl";

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
            let dir = Path::new(dir);
            let planted = Planted::new(number(documents)?, SEED);
            shards::generate(&planted, &dir.join(SOURCE))?;
            leaks::write(&planted, &dir.join(BENCHMARK)).map(|()| "{}".to_owned())
        }
        ["build", dir, out, threads] => {
            let threads = number(threads)? as usize;
            run::build_corpus(Path::new(dir), Path::new(out), threads).map(|it| it.to_string())
        }
        _ => Err("usage: generate DIR DOCUMENTS | build DIR OUT THREADS".to_owned()),
    }
}
