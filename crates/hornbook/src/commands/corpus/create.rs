//! `hornbook corpus create`: mix a corpus from several jobs and imports.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::show;
use crate::client::{Client, segment};
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Largest corpus file that is read.
const CORPUS_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Pause between two looks at a corpus that is being assembled.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Looks that may fail in a row, for instance while the service is restarted.
const FAILURES_IN_A_ROW: u32 = 30;

/// Asks for the corpus in `file` (`-` is standard input) and prints its id; with `wait`, when it has ended.
pub(crate) async fn run(client: &Client, file: &Path, wait: bool, json: bool) -> Outcome {
    let spec = read_spec(file)?;
    let corpus = client.post("/v1/corpora", Some(&spec)).await?;
    let id = text(&corpus, "/id");
    match (json, wait) {
        (false, _) => output::line(&id)?,
        (true, false) => output::json(&corpus)?,
        (true, true) => {}
    }
    if !wait {
        return Ok(());
    }
    let ended = follow(client, &id).await?;
    if json {
        output::json(&ended)?;
    } else {
        show::print(&ended)?;
    }
    outcome(&ended)
}

/// The corpus as it is when it has ended.
async fn follow(client: &Client, id: &str) -> Result<Value, Failure> {
    let path = format!("/v1/corpora/{}", segment(id));
    let mut failures = 0;
    loop {
        match client.get(&path).await {
            Ok(corpus) if matches!(text(&corpus, "/state").as_str(), "ready" | "failed") => {
                return Ok(corpus);
            }
            Ok(_) => failures = 0,
            Err(failure) if failure.code == Code::Error && failures < FAILURES_IN_A_ROW => {
                failures += 1;
            }
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// What a corpus that ended so means for the exit code.
fn outcome(corpus: &Value) -> Outcome {
    if text(corpus, "/state") == "failed" {
        let (code, message) = (text(corpus, "/error/code"), text(corpus, "/error/message"));
        return Err(Failure::new(Code::JobFailed, format!("the corpus failed: {code}: {message}")));
    }
    if text(corpus, "/corpus/partial") == "true" {
        return Err(Failure::new(Code::Partial, "the corpus is partial: a job had not ended"));
    }
    Ok(())
}

fn read_spec(file: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    let shown = file.display();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(CORPUS_FILE_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(CORPUS_FILE_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::usage(format!("reading {shown}: {error}")))?;
    serde_json::from_str(&text).context(&format!("{shown} is not a corpus"))
}
