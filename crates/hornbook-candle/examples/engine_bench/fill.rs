//! Memory once every sequence is as long as it can be.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::try_join_all;
use hornbook_inference::Backend;
use serde_json::json;

use crate::Outcome;
use crate::batch::{exactly, warm_up};
use crate::meter::{Meter, peak_bytes};
use crate::options::{Options, load};

/// How often the pages in use are counted.
const LOOK: Duration = Duration::from_millis(50);

/// Fills all slots and tells the most memory that the process had.
pub(crate) async fn run(options: &Options) -> Outcome {
    let sequences: usize = options.need("sequences")?;
    let own: usize = options.need("own")?;
    let new: u32 = options.need("new")?;
    let mut config = options.engine()?;
    config.slots = sequences;
    config.context_tokens = own + new as usize;
    let model_bytes = std::fs::metadata(&config.model_path)?.len();
    let engine = load(config).await?;
    let loaded_bytes = peak_bytes()?;
    let writer = warm_up(&engine).await?;
    let prompts = (0..sequences)
        .map(|sequence| exactly(writer.text(sequence as u64, own - writer.extra_tokens), new));
    let prompts: Vec<_> = prompts.collect();
    let meter = Meter::start()?;
    let mut answers =
        pin!(try_join_all(prompts.into_iter().map(|request| engine.complete(request))));
    let mut busiest = engine.load();
    let answers = loop {
        tokio::select! {
            answers = &mut answers => break answers?,
            () = tokio::time::sleep(LOOK) => {
                let now = engine.load();
                busiest = [busiest, now].into_iter().flatten().max_by_key(|load| load.kv_pages_held);
            }
        }
    };
    let seconds = meter.stop()?;
    let positions: u64 = answers
        .iter()
        .map(|answer| answer.usage.prompt_tokens + answer.usage.completion_tokens)
        .sum();
    let wanted = (sequences * (own + new as usize)) as u64;
    if positions != wanted {
        return Err(format!("{positions} positions were filled, not {wanted}").into());
    }
    Ok(json!({
        "sequences": sequences,
        "positions": positions,
        "model_bytes": model_bytes,
        "kv_bytes": engine.kv_bytes(),
        "loaded_bytes": loaded_bytes,
        "peak_bytes": peak_bytes()?,
        "cached_tokens": answers.iter().map(|answer| answer.usage.cached_tokens).sum::<u64>(),
        "kv_pages": busiest.map(|load| load.kv_pages),
        "kv_pages_held": busiest.map(|load| load.kv_pages_held),
        "seconds": seconds.wall,
        "cpu_seconds": seconds.cpu,
    }))
}
