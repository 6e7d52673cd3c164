//! `hornbook corpus pull`: a job's corpus in a directory, every file checked.

use std::path::{Component, Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::client::{Client, download, segment};
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output::{self, text};

/// Pulls the corpus of `job` into `out`; exit code 6 when it is partial.
pub(crate) async fn run(client: &Client, job: &str, out: &Path, as_json: bool) -> Outcome {
    let corpus = pull(client, job, out, as_json).await?;
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
        return Err(Failure::new(Code::Partial, "the corpus is partial: the job had not ended"));
    }
    Ok(())
}

/// Pulls the corpus of `job` into `out` and returns what the service says of it.
pub(crate) async fn pull(
    client: &Client,
    job: &str,
    out: &Path,
    quiet: bool,
) -> Result<Value, Failure> {
    let base = format!("/v1/jobs/{}/corpus", segment(job));
    let corpus = client.get(&base).await?;
    let files = corpus.get("files").and_then(Value::as_array).cloned().unwrap_or_default();
    let total = files.iter().filter_map(|file| file.get("bytes").and_then(Value::as_u64)).sum();
    let bar = bar(total, quiet);
    for file in &files {
        let path = text(file, "/path");
        let to = out.join(safe(&path)?);
        let from =
            format!("{base}/files/{}", path.split('/').map(segment).collect::<Vec<_>>().join("/"));
        download(client, &from, &to, &text(file, "/sha256"), &|bytes| bar.inc(bytes)).await?;
    }
    bar.finish_and_clear();
    // Last, because its presence says that everything it vouches for is there.
    let manifest = client
        .send(client.request(reqwest::Method::GET, &format!("{base}/files/manifest.json"))?)
        .await?;
    let bytes = manifest.bytes().await.context("reading the manifest")?;
    tokio::fs::create_dir_all(out).await.context(&format!("making {}", out.display()))?;
    let to = out.join("manifest.json");
    tokio::fs::write(&to, &bytes).await.context(&format!("writing {}", to.display()))?;
    Ok(corpus)
}

/// A path from the service, kept below the directory it is pulled into.
fn safe(path: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && path.components().next().is_some() {
        Ok(path.to_owned())
    } else {
        Err(Failure::error(format!(
            "the service names a file outside the corpus: {}",
            path.display()
        )))
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
    use super::safe;

    #[test]
    fn files_stay_below_the_directory() {
        assert!(safe("data/train-00000-of-00001.parquet").is_ok());
        for bad in ["../x", "/etc/passwd", "a/../../b", "", "."] {
            assert!(safe(bad).is_err(), "{bad}");
        }
    }
}
