//! `hornbook benchmark`: items that no corpus may hold.

mod human_eval;
mod push;

use serde_json::Value;

use crate::cli::Benchmark;
use crate::client::Client;
use crate::exit::{Failure, Outcome};
use crate::output::{self, text};

/// Name of HumanEval unless another one is given.
const HUMAN_EVAL: &str = "humaneval";

/// Runs one of the benchmark commands.
pub(crate) async fn run(command: Benchmark, client: &Client, json: bool) -> Outcome {
    match command {
        Benchmark::Ls => ls(client, json).await,
        Benchmark::Push { name, human_eval: Some(file), .. } => {
            let items = human_eval::items(&file)?;
            push::bytes(client, name.as_deref().unwrap_or(HUMAN_EVAL), items, json).await
        }
        Benchmark::Push { name: Some(name), file: Some(file), .. } => {
            push::file(client, &name, &file, json).await
        }
        Benchmark::Push { .. } => Err(Failure::usage("name a benchmark and its file")),
    }
}

async fn ls(client: &Client, json: bool) -> Outcome {
    let benchmarks = client.list("/v1/benchmarks", usize::MAX).await?;
    if json {
        return output::json(&Value::Array(benchmarks));
    }
    let rows: Vec<Vec<String>> = benchmarks
        .iter()
        .map(|it| vec![text(it, "/reference"), text(it, "/items"), text(it, "/sha256")])
        .collect();
    output::table(&["BENCHMARK", "ITEMS", "SHA256"], &rows)
}
