//! `cargo xtask bench`: how fast the local engine is, beside llama.cpp on the same machine, and what it
//! costs to keep endpoints busy, beside a bare loop, and to make corpora out of documents.

mod contests;
mod corpus;
mod engine;
mod fan_out;
mod figure;
mod http;
mod job;
mod llama_cpp;
mod machine;
mod memory;
mod options;
mod ours;
mod process;
mod report;
mod run;
mod service;
mod setting;
mod table;
mod theirs;
mod tuning;

use crate::Outcome;
use crate::ambient::Ambient;

/// Runs what the first word names.
pub(crate) fn run(arguments: &[String], ambient: &Ambient) -> Outcome {
    match arguments.split_first() {
        Some((what, rest)) if what == "engine" => engine::run(rest, ambient),
        Some((what, rest)) if what == "fan-out" => fan_out::run(rest, ambient),
        Some((what, rest)) if what == "corpus" => corpus::run(rest, ambient),
        Some((what, [])) if what == "llama-cpp" => llama_cpp::run(ambient),
        _ => {
            Err("needs 'engine', 'fan-out', 'corpus' or 'llama-cpp'; try 'cargo xtask help'"
                .to_owned())
        }
    }
}
