//! A pulled corpus, read the way a trainer would.

use std::path::Path;

use serde_json::Value;

use crate::environment;
use crate::python::script;

/// Pulls a job's corpus with the command line and checks it with pyarrow and polars.
///
/// Returns what the checker says of it: `{rows, audiences}`.
pub async fn pull_and_check(url: &str, job: &str, out: &Path) -> Value {
    let pulled = tokio::process::Command::new(environment::binary())
        .args(["--url", url, "corpus", "pull", job, "-o"])
        .arg(out)
        .output()
        .await
        .expect("running hornbook corpus pull");
    let code = pulled.status.code();
    assert!(code == Some(0) || code == Some(6), "{}", String::from_utf8_lossy(&pulled.stderr));
    check(out).await
}

/// Checks a corpus in a directory with pyarrow and polars.
pub async fn check(directory: &Path) -> Value {
    let checked = tokio::process::Command::new(environment::python())
        .arg(script("check_corpus.py"))
        .arg(directory)
        .output()
        .await
        .expect("running the checker");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    serde_json::from_slice(&checked.stdout).expect("the checker's answer")
}
