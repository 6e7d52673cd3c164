//! How long a draw takes: `cargo test -p hornbook-candle draw::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::InstructionSet;

/// Of SmolLM2, in whose vocabulary a draw is a few per cent of a pass.
const VOCABULARY: usize = 49_152;
/// Tokens of the prompt, most of them different; penalties look at each.
const PROMPT_TOKENS: u32 = 512;
const DRAWS: usize = 40;
/// The fastest of so many rounds counts: other programs only ever make one slower.
const ROUNDS: usize = 60;

/// Bell-shaped, with a few tokens far above the others, as a model's are.
fn rows() -> Vec<Vec<f32>> {
    let mut random = Random::new(3);
    let mut row = || {
        let bell = (0..VOCABULARY).map(|_| (0..6).map(|_| random.unit() - 0.5).sum::<f64>() * 4.0);
        let mut row: Vec<f32> = bell.map(|logit| logit as f32).collect();
        for place in 0..40 {
            let token = (random.unit() * VOCABULARY as f64) as usize;
            row[token] = 18.0 - place as f32 * 0.3;
        }
        row
    };
    (0..8).map(|_| row()).collect()
}

/// Microseconds of a draw, without those that making its logits takes.
fn microseconds(sampling: &Sampling, logprobs: Option<u8>, isa: Isa, rows: &[Vec<f32>]) -> f64 {
    let prompt: Vec<u32> = (0..PROMPT_TOKENS).map(|token| token * 91 % 49_152).collect();
    let (vocabulary, ends) = (VOCABULARY, &[2][..]);
    let prompt = &prompt[..];
    let start = || SamplerStart { sampling, seed: 1, vocabulary, prompt, ends, logprobs, isa };
    let mut logits = vec![0.0_f32; VOCABULARY];
    let mut round = |draws: bool| {
        let mut sampler = Sampler::new(start());
        let begin = Instant::now();
        for row in rows.iter().cycle().take(DRAWS) {
            logits.copy_from_slice(row);
            if draws {
                sampler.draw(std::hint::black_box(&mut logits)).expect("finite logits");
            }
        }
        begin.elapsed().as_secs_f64() * 1e6 / DRAWS as f64
    };
    let mut fastest = |draws| (0..ROUNDS).map(|_| round(draws)).fold(f64::INFINITY, f64::min);
    fastest(true) - fastest(false)
}

#[test]
#[ignore = "measures"]
fn speed() {
    let plain = Sampling {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        repetition_penalty: 1.0,
        ..Sampling::default()
    };
    let nucleus = Sampling { top_p: 0.95, ..plain.clone() };
    let penalties = Sampling {
        repetition_penalty: 1.2,
        // Little, so that rows which come again stay as peaked as they are.
        frequency_penalty: 0.01,
        presence_penalty: 0.01,
        logit_bias: (0..100).map(|token| (token * 7, 1.0)).collect(),
        ..nucleus.clone()
    };
    let rows = rows();
    let flat: Vec<Vec<f32>> =
        rows.iter().map(|row| row.iter().map(|logit| logit * 0.05).collect()).collect();
    println!("microseconds a draw, vocabulary of {VOCABULARY}, one thread");
    for isa in InstructionSet::ALL.into_iter().filter_map(Isa::new) {
        let us = |sampling: &Sampling, logprobs, rows| microseconds(sampling, logprobs, isa, rows);
        println!(
            "{:9} greedy {:5.1}, temperature {:5.1}, top-k 50 + top-p {:5.1}, top-p {:5.1}, \
             min-p {:5.1}, top-p + all penalties {:5.1}, greedy + 5 logprobs {:5.1}, \
             top-p of a flat row {:5.1}",
            isa.set().name(),
            us(&Sampling { temperature: 0.0, ..plain.clone() }, None, &rows),
            us(&plain, None, &rows),
            us(&Sampling { top_k: 50, ..nucleus.clone() }, None, &rows),
            us(&nucleus, None, &rows),
            us(&Sampling { min_p: 0.05, ..plain.clone() }, None, &rows),
            us(&penalties, None, &rows),
            us(&Sampling { temperature: 0.0, ..plain.clone() }, Some(5), &rows),
            us(&nucleus, None, &flat),
        );
    }
}
