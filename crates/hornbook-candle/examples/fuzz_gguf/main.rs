//! Loads damaged model files, one after another; `cargo xtask fuzz gguf` runs it and watches.
//!
//! - `fuzz_gguf run FIRST DIRECTORY` makes and loads the cases FIRST, FIRST + 1, .. until it is
//!   killed, and prints `NUMBER` before each and its outcome after it.
//! - `fuzz_gguf make NUMBER FILE` writes the case of that number.
//! - `fuzz_gguf load FILE` loads one file and prints the outcome.
//!
//! A case is a pure function of its number: a small sound file, taken apart, changed in one to
//! four places (entries, counts, types, dimensions, offsets, numbers, templates) or in its bytes.
//! What loads then writes a few tokens, so that tokenizer, template and kernels see it too.

mod file;
mod mutate;
mod random;

use std::error::Error;
use std::io::Write;
use std::path::Path;

use hornbook_candle::{Engine, EngineConfig, LoadError};
use hornbook_inference::{Backend, CompletionRequest, Input};
use hornbook_types::Sampling;
use tokio_util::sync::CancellationToken;

const TEXTS: [&str; 3] = ["the the 1234 é\u{301} <|im_end|> \n\n x", "", "aaaa  \t\n日本語🙂 'll"];
const NEW_TOKENS: u32 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["run", first, directory] => run(first.parse()?, Path::new(directory)).await,
        ["make", number, path] => Ok(std::fs::write(path, mutate::case(number.parse()?))?),
        ["load", path] => say(&outcome(Path::new(path)).await),
        _ => Err("usage: fuzz_gguf run FIRST DIRECTORY | make NUMBER FILE | load FILE".into()),
    }
}

async fn run(first: u64, directory: &Path) -> Result<(), Box<dyn Error>> {
    let path = directory.join("case.gguf");
    for number in first.. {
        say(&number.to_string())?;
        std::fs::write(&path, mutate::case(number))?;
        say(&outcome(&path).await)?;
    }
    Ok(())
}

/// One line at once: whoever watches reads it before the next case can end this process.
fn say(line: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// The kind of refusal, or `loaded` with what became of the prompts.
async fn outcome(path: &Path) -> String {
    let mut config = EngineConfig::new(path);
    config.slots = 2;
    config.context_tokens = 128;
    config.threads = Some(1);
    let engine = match Engine::load(config) {
        Ok(engine) => engine,
        Err(error) => return format!("refused: {}", kind(&error)),
    };
    let mut answered = 0;
    let mut refused = "";
    for (text, sampling) in TEXTS.into_iter().zip(samplings()) {
        for input in [Input::user(text), Input::Text(text.to_owned())] {
            let request = CompletionRequest {
                input,
                sampling: sampling.clone(),
                seed: 1,
                logprobs: (sampling.top_k != 1).then_some(2),
                cancel: CancellationToken::new(),
            };
            match engine.complete(request).await {
                Ok(_) => answered += 1,
                // The engine's thread ended: that is a find, whatever ended it.
                Err(error) if error.code == "engine_died" => std::process::abort(),
                Err(error) => refused = error.code,
            }
        }
        engine.count_tokens(text);
    }
    if answered > 0 { "loaded and answered".to_owned() } else { format!("loaded: {refused}") }
}

/// As it is by default; the likeliest token; everything else that can be set.
fn samplings() -> [Sampling; TEXTS.len()] {
    let usual = Sampling { max_tokens: NEW_TOKENS, ..Sampling::default() };
    let likeliest = Sampling { top_k: 1, ..usual.clone() };
    let every = Sampling {
        temperature: 2.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.01,
        frequency_penalty: 2.0,
        presence_penalty: -2.0,
        min_tokens: 2,
        ..usual.clone()
    };
    [usual, likeliest, every]
}

fn kind(error: &LoadError) -> &'static str {
    match error {
        LoadError::Missing { .. } | LoadError::Unreadable { .. } => "unreadable",
        LoadError::NotGguf { .. } => "not a GGUF file",
        LoadError::Truncated { .. } => "cut off",
        LoadError::Malformed { .. } => "damaged",
        LoadError::TooLarge { .. } => "too large",
        LoadError::Metadata { .. } => "metadata missing",
        LoadError::MissingTensor { .. } => "tensor missing",
        LoadError::BadTensor { .. } => "bad tensor",
        LoadError::Unsupported { .. } => "unsupported",
        _ => "settings",
    }
}
