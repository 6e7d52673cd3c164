//! Prompts that somebody gives, all at once, each with its own sampling and seed.

use std::error::Error;
use std::io::BufRead;

use futures_util::future::try_join_all;
use hornbook_inference::{Backend, CompletionRequest, Input};
use hornbook_types::Sampling;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::batch::warm_up;
use crate::meter::Meter;
use crate::options::{Options, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    prompt: String,
    sampling: Sampling,
    seed: u64,
}

/// Completes every prompt and times all of them together.
pub(crate) async fn run(options: &Options) -> Outcome {
    let requests = std::io::stdin().lock().lines().map(|line| request(&line?));
    let requests: Vec<_> = requests.collect::<Result<_, Box<dyn Error>>>()?;
    let engine = load(options.engine()?).await?;
    warm_up(&engine).await?;
    let meter = Meter::start()?;
    let answers =
        try_join_all(requests.into_iter().map(|request| engine.complete(request))).await?;
    let seconds = meter.stop()?;
    let usages = || answers.iter().map(|answer| answer.usage);
    Ok(json!({
        "prompt_tokens": usages().map(|usage| usage.prompt_tokens).sum::<u64>(),
        "cached_tokens": usages().map(|usage| usage.cached_tokens).sum::<u64>(),
        "completion_tokens": usages().map(|usage| usage.completion_tokens).sum::<u64>(),
        "seconds": seconds.wall,
        "cpu_seconds": seconds.cpu,
        "slots": engine.slots(),
        "texts": answers.iter().map(|answer| &answer.text).collect::<Vec<_>>(),
    }))
}

fn request(line: &str) -> Result<CompletionRequest, Box<dyn Error>> {
    let line: Line = serde_json::from_str(line)?;
    Ok(CompletionRequest {
        input: Input::user(line.prompt),
        sampling: line.sampling,
        seed: line.seed,
        logprobs: None,
        cancel: CancellationToken::new(),
    })
}
