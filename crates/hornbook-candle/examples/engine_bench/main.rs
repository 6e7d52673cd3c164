//! Measures the engine through its front door; `cargo xtask bench engine` runs it and reads its answers.
//!
//! `engine_bench WORK --model FILE [--threads N] [--isa NAME] ..`, where WORK is
//! - `batch --sequences N --shared N --own N --new N`: prompts and decoding, apart;
//! - `fill --sequences N --own N --new N`: memory once every sequence is as long as it can be;
//! - `prompts [--slots N]`: given prompts, one `{"prompt", "sampling", "seed"}` a line on standard input.
//!
//! Each answers with one line of JSON. Times are seconds of wall clock and of CPU.

mod batch;
mod fill;
mod given;
mod meter;
mod options;
mod text;

use std::error::Error;

use options::Options;

/// What every work returns: an answer for standard output.
type Outcome = Result<serde_json::Value, Box<dyn Error>>;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the answer is this program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let work = arguments.next().unwrap_or_default();
    let options = Options::read(arguments)?;
    let answer = match work.as_str() {
        "batch" => batch::run(&options).await?,
        "fill" => fill::run(&options).await?,
        "prompts" => given::run(&options).await?,
        _ => return Err("usage: engine_bench batch|fill|prompts --model FILE ..".into()),
    };
    println!("{answer}");
    Ok(())
}
