//! The yardstick of `cargo xtask bench fan-out`: a loop over reqwest that keeps so many requests under
//! way, reads each answer, and forgets it. No template, no limit, no retry, nothing durable.
//!
//! `bare_loop URL PROMPTS IN_FLIGHT PROMPT_BYTES` prints one line of JSON.
#![expect(clippy::print_stdout, reason = "a program that is asked for its result")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

/// Ticks per second in `/proc`; Linux shows 100 to every program.
const TICKS_PER_S: f64 = 100.0;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, prompts, in_flight, prompt_bytes] = &arguments[..] else {
        panic!("usage: bare_loop URL PROMPTS IN_FLIGHT PROMPT_BYTES");
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let (prompts, in_flight, prompt_bytes) =
        (number(prompts), number(in_flight), number(prompt_bytes));
    let url: Arc<str> = format!("{url}/v1/chat/completions").into();
    let sentence = "Write the next page of a textbook about the matter at hand. ";
    let bytes = usize::try_from(prompt_bytes).expect("a size");
    let prompt: Arc<str> = sentence.repeat(bytes / sentence.len() + 1)[..bytes].into();

    let (start, cpu_s) = (Instant::now(), cpu_s());
    let client = reqwest::Client::new();
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..in_flight {
        let (client, next) = (client.clone(), Arc::clone(&next));
        let (url, prompt) = (Arc::clone(&url), Arc::clone(&prompt));
        tasks.push(tokio::spawn(async move {
            let mut text_bytes = 0;
            loop {
                let seq = next.fetch_add(1, Ordering::Relaxed);
                if seq >= prompts {
                    return text_bytes;
                }
                text_bytes += ask(&client, &url, &prompt, seq).await;
            }
        }));
    }
    let mut text_bytes = 0;
    for task in tasks {
        text_bytes += task.await.expect("every answer is good");
    }
    let result = json!({
        "seconds": start.elapsed().as_secs_f64(),
        "cpu_seconds": self::cpu_s() - cpu_s,
        "text_bytes": text_bytes,
    });
    println!("{result}");
}

/// Bytes of the answer's text.
async fn ask(client: &reqwest::Client, url: &str, prompt: &str, seed: u64) -> usize {
    let body = json!({
        "model": "mock", "messages": [{"role": "user", "content": prompt}],
        "temperature": 0.6, "top_p": 0.95, "max_tokens": 2500, "seed": seed,
    });
    let response = client.post(url).json(&body).send().await.expect("an answer");
    let answer: Value =
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    answer["choices"][0]["message"]["content"].as_str().expect("a text").len()
}

/// CPU seconds of this process so far.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|tick| tick.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}
