//! Completes prompts from standard input, all at once, for trying prompts and measuring.
//!
//! `generate MODEL MAX_TOKENS < prompts.ndjson`: one `{"prompt": ..}` a line, optionally with
//! `"sampling"` (as in a job) and `"seed"`; one
//! `{"text", "finish_reason", "prompt_tokens", "completion_tokens"}` a line, in the same order.

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use futures_util::StreamExt;
use hornbook_candle::{Engine, EngineConfig};
use hornbook_inference::{Backend, CompletionRequest, Input};
use hornbook_types::Sampling;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    prompt: String,
    sampling: Option<Sampling>,
    #[serde(default)]
    seed: u64,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "answers are this program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(max_tokens)) = (arguments.next(), arguments.next()) else {
        return Err("usage: generate MODEL MAX_TOKENS < prompts.ndjson".into());
    };
    let max_tokens: u32 = max_tokens.parse()?;
    let requests: Vec<CompletionRequest> = std::io::stdin()
        .lock()
        .lines()
        .map(|line| Ok(request(serde_json::from_str(&line?)?, max_tokens)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let start = Instant::now();
    let mut config = EngineConfig::new(model);
    config.slots = arguments.next().map_or(Ok(config.slots), |slots| slots.parse())?;
    let engine = tokio::task::spawn_blocking(|| Engine::load(config)).await??;
    let loaded_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let slots = engine.slots();
    let mut answers = futures_util::stream::iter(requests)
        .map(|request| engine.complete(request))
        .buffered(slots);
    let (mut prompt_tokens, mut completion_tokens) = (0, 0);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => {
                prompt_tokens += answer.usage.prompt_tokens;
                completion_tokens += answer.usage.completion_tokens;
                let line = serde_json::json!({
                    "text": answer.text,
                    "finish_reason": answer.finish_reason.as_str(),
                    "prompt_tokens": answer.usage.prompt_tokens,
                    "completion_tokens": answer.usage.completion_tokens,
                });
                println!("{line}");
            }
            Err(error) => println!("{}", serde_json::json!({ "error": error.to_string() })),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "loaded in {loaded_s:.1} s; {prompt_tokens} prompt and {completion_tokens} new tokens in \
         {seconds:.1} s ({:.0} new tokens/s)",
        completion_tokens as f64 / seconds
    );
    Ok(())
}

fn request(line: Line, max_tokens: u32) -> CompletionRequest {
    let sampling = line.sampling.unwrap_or_default();
    CompletionRequest {
        input: Input::user(line.prompt),
        sampling: Sampling { max_tokens, ..sampling },
        seed: line.seed,
        logprobs: None,
        cancel: CancellationToken::new(),
    }
}
