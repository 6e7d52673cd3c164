//! `hornbook corpus pull`: a corpus in a directory, every file checked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::client::{Client, Whole, download, segment};
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output::{self, text};

/// The file that vouches for the others.
const MANIFEST: &str = "manifest.json";

/// Pulls a corpus into `out`; exit code 6 when it is partial.
pub(crate) async fn run(client: &Client, named: &str, out: &Path, as_json: bool) -> Outcome {
    let corpus = pull(client, named, out, as_json).await?;
    let partial = corpus.get("partial").and_then(Value::as_bool).unwrap_or(false);
    let rows = corpus.get("rows").and_then(Value::as_u64).unwrap_or(0);
    if as_json {
        output::json(
            &json!({ "out": out, "rows": rows, "partial": partial, "files": corpus.get("files") }),
        )?;
    } else {
        output::line(&format!("{rows} documents in {}", out.display()))?;
    }
    if partial {
        return Err(Failure::new(Code::Partial, "the corpus is partial: a job had not ended"));
    }
    Ok(())
}

/// Pulls the corpus of a job, or the mixed one of `corpora/ID`, into `out` and returns what the service says of it.
pub(crate) async fn pull(
    client: &Client,
    named: &str,
    out: &Path,
    quiet: bool,
) -> Result<Value, Failure> {
    let base = base_of(named);
    let corpus = client.get(&base).await?;
    // One revision from the first byte to the last, whatever is published meanwhile.
    let commit = segment(&text(&corpus, "/commit"));
    let mut files = corpus.get("files").and_then(Value::as_array).cloned().unwrap_or_default();
    // Last, because its presence says that everything it vouches for is there.
    files.sort_by_key(|file| text(file, "/path") == MANIFEST);
    let mut paths = BTreeSet::new();
    for file in &files {
        paths.insert(safe(&text(file, "/path"))?);
    }
    retire(out, &paths).await?;
    let total = files.iter().filter_map(|file| file.get("bytes").and_then(Value::as_u64)).sum();
    let bar = bar(total, quiet);
    for file in &files {
        let path = text(file, "/path");
        let to = out.join(safe(&path)?);
        let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
        let from = format!("{base}/files/{path}?commit={commit}");
        let whole = Whole {
            bytes: file.get("bytes").and_then(Value::as_u64).unwrap_or(0),
            sha256: &text(file, "/sha256"),
        };
        download(client, &from, &to, whole, &|bytes| bar.inc(bytes)).await?;
    }
    bar.finish_and_clear();
    Ok(corpus)
}

/// Where a corpus is that somebody names: `ID` or `jobs/ID` of a job, `corpora/ID` of a mixed one.
fn base_of(named: &str) -> String {
    let (kind, id) = match named.split_once('/') {
        Some(("corpora", id)) => ("corpora", id),
        Some(("jobs", id)) => ("jobs", id),
        _ => ("jobs", named),
    };
    format!("/v1/{kind}/{}/corpus", segment(id))
}

/// Takes away the manifest of what was pulled before, and the files that only it names.
///
/// A shard of an earlier revision would be read as part of this one; a file that no manifest names is
/// the user's own and stays.
async fn retire(out: &Path, wanted: &BTreeSet<PathBuf>) -> Outcome {
    let manifest = out.join(MANIFEST);
    let Ok(before) = tokio::fs::read(&manifest).await else {
        return Ok(());
    };
    tokio::fs::remove_file(&manifest).await.context(&format!("removing {}", manifest.display()))?;
    let before: Value = serde_json::from_slice(&before).unwrap_or(Value::Null);
    let files = before.pointer("/content/files").and_then(Value::as_array);
    for file in files.into_iter().flatten() {
        if let Ok(path) = safe(&text(file, "/path"))
            && !wanted.contains(&path)
        {
            remove_if_there(&out.join(path)).await?;
        }
    }
    Ok(())
}

async fn remove_if_there(file: &Path) -> Outcome {
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::error(format!("removing {}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// A path from the service, kept below the directory it is pulled into.
///
/// Only names as corpora have them: a hostile service must not write a hidden file into
/// somebody's home, nor a name that acts on a terminal.
fn safe(path: &str) -> Result<PathBuf, Failure> {
    let plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    if path.split('/').all(plain) {
        Ok(PathBuf::from(path))
    } else {
        Err(Failure::error(format!("the service names a file outside the corpus: {path}")))
    }
}

fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("pulling      [{bar:32}] {bytes}/{total_bytes}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::{base_of, safe};

    #[test]
    fn a_corpus_is_a_jobs_or_a_mixed_one() {
        for (named, base) in [
            ("7f", "/v1/jobs/7f/corpus"),
            ("jobs/7f", "/v1/jobs/7f/corpus"),
            ("corpora/7f", "/v1/corpora/7f/corpus"),
            ("corpora/../x", "/v1/corpora/..%2Fx/corpus"),
            ("a/b", "/v1/jobs/a%2Fb/corpus"),
        ] {
            assert_eq!(base_of(named), base, "{named}");
        }
    }

    #[test]
    fn files_stay_below_the_directory() {
        assert!(safe("data/train-00000-of-00001.parquet").is_ok());
        for bad in [
            "../x",
            "/etc/passwd",
            "a/../../b",
            "",
            ".",
            "a/./b",
            ".bashrc",
            "a\u{1b}[2J",
            "a\\b",
            "~/x",
            "a/",
        ] {
            assert!(safe(bad).is_err(), "{bad}");
        }
    }
}
