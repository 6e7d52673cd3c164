//! Prompts and decoding of one batch, apart.
//!
//! The engine mixes both in its passes, so the phases are told apart by two runs on different texts:
//! one that ends with the first token of every sequence, which is all the work on prompts, and one
//! that draws `new` tokens more. What the second takes longer is the decoding of `new` tokens each.
//! An untimed run goes before them, so that neither is the first to touch the memory for keys and
//! values.

use std::error::Error;

use futures_util::future::try_join_all;
use hornbook_candle::Engine;
use hornbook_inference::{Backend, Completion, CompletionRequest, Input};
use hornbook_types::Sampling;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::meter::{Meter, Seconds};
use crate::options::{Options, load};
use crate::text::Writer;

/// Tokens of the prompt that wakes the engine's threads before anything is timed.
const WARM_UP_TOKENS: usize = 16;
/// Forced answers that are compared with what the engine writes undisturbed.
const COMPARED: usize = 2;
/// The set of texts that is answered at full length.
const WHOLE: u64 = 2;

/// One batch: `sequences` prompts, each `shared` tokens that are the same for all and `own` tokens.
struct Batch {
    sequences: usize,
    shared: usize,
    own: usize,
}

/// What one run of a batch did.
struct Run {
    seconds: Seconds,
    prompt_tokens: u64,
    cached_tokens: u64,
    answers: Vec<Completion>,
}

/// Times both phases of a batch.
pub(crate) async fn run(options: &Options) -> Outcome {
    let batch = Batch {
        sequences: options.need("sequences")?,
        shared: options.get("shared")?.unwrap_or(0),
        own: options.need("own")?,
    };
    let new: u32 = options.need("new")?;
    let mut config = options.engine()?;
    config.slots = batch.sequences;
    config.context_tokens = (batch.shared + batch.own + new as usize + 2).next_multiple_of(64);
    let engine = load(config).await?;
    let writer = warm_up(&engine).await?;
    batch.run(&engine, &writer, 0, 1).await?;
    let prompts = batch.run(&engine, &writer, 1, 1).await?;
    let whole = batch.run(&engine, &writer, WHOLE, new + 1).await?;
    let compared = batch.compare(&engine, &writer, &whole).await?;
    let decode_tokens = batch.sequences as u64 * u64::from(new);
    Ok(json!({
        "prompt_tokens": prompts.prompt_tokens,
        "cached_tokens": prompts.cached_tokens,
        "prompt_s": prompts.seconds.wall,
        "prompt_cpu_s": prompts.seconds.cpu,
        "decode_tokens": decode_tokens,
        "decode_s": whole.seconds.wall - prompts.seconds.wall,
        "decode_cpu_s": whole.seconds.cpu - prompts.seconds.cpu,
        "compared_answers": compared,
        "instruction_set": engine.provenance().instruction_set,
    }))
}

impl Batch {
    fn prompt(&self, writer: &Writer, set: u64, sequence: usize) -> String {
        // The mark of the beginning, where a model has one, counts as a token of the prompt.
        let extra = writer.extra_tokens;
        // Texts whose numbers are near begin differently; three sets of up to 32 sequences do.
        let own_number = set * self.sequences as u64 + sequence as u64;
        if self.shared == 0 {
            return writer.text(own_number, self.own - extra);
        }
        let shared = writer.text(1_000_000 + set, self.shared - extra);
        shared + &writer.text(own_number, self.own)
    }

    /// Writes `tokens` tokens for every prompt of a set, neither more nor fewer.
    async fn run(
        &self,
        engine: &Engine,
        writer: &Writer,
        set: u64,
        tokens: u32,
    ) -> Result<Run, Box<dyn Error>> {
        let requests: Vec<_> = (0..self.sequences)
            .map(|sequence| exactly(self.prompt(writer, set, sequence), tokens))
            .collect();
        let meter = Meter::start()?;
        let answers = try_join_all(requests.into_iter().map(|request| engine.complete(request)));
        let answers = answers.await?;
        let seconds = meter.stop()?;
        for usage in answers.iter().map(|answer| answer.usage) {
            let wanted = ((self.shared + self.own) as u64, u64::from(tokens));
            if (usage.prompt_tokens, usage.completion_tokens) != wanted {
                return Err(format!("wanted (prompt, new) {wanted:?}, got {usage:?}").into());
            }
        }
        Ok(Run {
            seconds,
            prompt_tokens: answers.iter().map(|answer| answer.usage.prompt_tokens).sum(),
            cached_tokens: answers.iter().map(|answer| answer.usage.cached_tokens).sum(),
            answers,
        })
    }

    /// Checks, untimed, that forcing the length changed nothing: what the engine writes for the same
    /// prompt alone, ending where it likes, must be how the forced answer begins.
    async fn compare(
        &self,
        engine: &Engine,
        writer: &Writer,
        run: &Run,
    ) -> Result<usize, Box<dyn Error>> {
        let compared = COMPARED.min(self.sequences);
        for (sequence, forced) in run.answers.iter().enumerate().take(compared) {
            let tokens = forced.usage.completion_tokens as u32;
            let mut request = exactly(self.prompt(writer, WHOLE, sequence), tokens);
            request.sampling.min_tokens = 0;
            let free = engine.complete(request).await?;
            if !forced.text.starts_with(free.text.trim_end_matches('\u{fffd}')) {
                let (free, forced) = (free.text, &forced.text);
                return Err(format!("alone: {free:?}\nin the batch: {forced:?}").into());
            }
        }
        Ok(compared)
    }
}

/// Wakes the threads and learns what the engine puts around a text.
pub(crate) async fn warm_up(engine: &Engine) -> Result<Writer, Box<dyn Error>> {
    let mut writer = Writer::new(engine)?;
    let text = writer.text(u64::MAX, WARM_UP_TOKENS);
    let answer = engine.complete(exactly(text, 2)).await?;
    writer.extra_tokens = answer.usage.prompt_tokens as usize - WARM_UP_TOKENS;
    Ok(writer)
}

/// A greedy request for exactly so many tokens.
pub(crate) fn exactly(text: String, tokens: u32) -> CompletionRequest {
    CompletionRequest {
        input: Input::Text(text),
        sampling: Sampling {
            temperature: 0.0,
            repetition_penalty: 1.0,
            max_tokens: tokens,
            min_tokens: tokens,
            stop_loops: false,
            ..Sampling::default()
        },
        seed: 0,
        logprobs: None,
        cancel: CancellationToken::new(),
    }
}
