//! `hornbook corpus push`: a corpus to a repository on the Hub.

use std::io;
use std::ops::Range;
use std::path::Path;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hornbook_hub::{
    ByteStream, Directory, PushError, PushFile, PushSpec, Pushed, Source, push as push_corpus,
};
use hornbook_inference::Secret;
use hornbook_inference::http::{Client as HubClient, GuardPolicy};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use reqwest::header::RANGE;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::Push;
use crate::client::{Client, segment};
use crate::environment::Environment;
use crate::exit::{Code, Context as _, Failure, Outcome};
use crate::output::{self, text};

/// First line of the commit's message.
const MESSAGE: &str = concat!("Upload corpus with hornbook ", env!("CARGO_PKG_VERSION"));

/// Pushes and says what was done; exit code 6 when the corpus is partial.
pub(crate) async fn run(
    client: &Client,
    arguments: Push,
    environment: &Environment,
    as_json: bool,
) -> Outcome {
    let Push { corpus, repo, private, revision, endpoint } = arguments;
    let token = environment.hub_token.clone().ok_or_else(|| {
        Failure::new(Code::NotAllowed, "HF_TOKEN is not set; a push needs a token that may write")
    })?;
    // The user's own command line goes where the user sends it.
    let hub = HubClient::new(GuardPolicy::unrestricted()).context("setting up the http client")?;
    let spec = PushSpec {
        endpoint,
        token: Secret::new(token.trim()),
        repo,
        revision,
        private,
        message: MESSAGE.to_owned(),
    };
    let bar = bar(as_json);
    let progress = |progress: hornbook_hub::PushProgress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.done_bytes);
    };
    let (pushed, partial) = match base(&corpus) {
        Some(base) => {
            let served = Served::find(client.clone(), base).await?;
            (push_corpus(&hub, &spec, &served, &progress).await.map_err(failure)?, served.partial)
        }
        None => {
            let directory = Directory::open(Path::new(&corpus)).await.map_err(failure)?;
            (push_corpus(&hub, &spec, &directory, &progress).await.map_err(failure)?, false)
        }
    };
    bar.finish_and_clear();
    tell(&pushed, &spec, partial, as_json)?;
    if partial {
        return Err(Failure::new(Code::Partial, "the corpus is partial: the job had not ended"));
    }
    Ok(())
}

/// Where the service has the corpus that is meant; none for a directory.
fn base(corpus: &str) -> Option<String> {
    let (kind, id) = match corpus.split_once('/') {
        None => ("jobs", corpus),
        Some((kind @ ("jobs" | "corpora"), id)) => (kind, id),
        Some(_) => return None,
    };
    id.parse::<Uuid>().is_ok().then(|| format!("/v1/{kind}/{}/corpus", segment(id)))
}

/// A corpus of the running service; its bytes go through this process, not onto its disk.
struct Served {
    client: Client,
    base: String,
    commit: String,
    partial: bool,
    files: Vec<PushFile>,
}

impl Served {
    async fn find(client: Client, base: String) -> Result<Self, Failure> {
        let corpus = client.get(&base).await?;
        let files = corpus.get("files").and_then(Value::as_array).map(Vec::as_slice);
        let files = files.unwrap_or_default().iter().map(|file| PushFile {
            path: text(file, "/path"),
            bytes: file.get("bytes").and_then(Value::as_u64).unwrap_or(0),
            sha256: text(file, "/sha256"),
        });
        let files = files.collect();
        let partial = corpus.get("partial").and_then(Value::as_bool).unwrap_or(false);
        // One revision from the first byte to the last, whatever is published meanwhile.
        let commit = segment(&text(&corpus, "/commit"));
        Ok(Self { client, base, commit, partial, files })
    }

    async fn fetch(&self, file: &PushFile, range: Range<u64>) -> Result<ByteStream, Failure> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let path = file.path.split('/').map(segment).collect::<Vec<_>>().join("/");
        let from = format!("{}/files/{path}?commit={}", self.base, self.commit);
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        let request = self.client.request(Method::GET, &from)?.header(RANGE, asked);
        let response = self.client.send(request).await?;
        if response.content_length() != Some(range.end - range.start) {
            return Err(Failure::error(format!("{}: the service sent another range", file.path)));
        }
        Ok(response.bytes_stream().map_err(io::Error::other).boxed())
    }
}

impl Source for Served {
    fn files(&self) -> &[PushFile] {
        &self.files
    }

    fn open<'a>(
        &'a self,
        file: &'a PushFile,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<ByteStream, PushError>> {
        Box::pin(async move {
            self.fetch(file, range).await.map_err(|failure| PushError::Io {
                path: file.path.as_str().into(),
                source: io::Error::other(failure.message),
            })
        })
    }
}

fn failure(error: PushError) -> Failure {
    let code = match &error {
        PushError::BadSpec(_) => Code::Usage,
        PushError::NotAllowed { .. } => Code::NotAllowed,
        PushError::NotFound { .. } => Code::NotFound,
        PushError::Throttled { .. } => Code::Throttled,
        _ => Code::Error,
    };
    Failure::new(code, error.to_string())
}

fn tell(pushed: &Pushed, spec: &PushSpec, partial: bool, as_json: bool) -> Outcome {
    let Pushed { commit, changed, files, sent_files, sent_bytes, deleted_files } = pushed;
    let PushSpec { endpoint, repo, revision, .. } = spec;
    let url = format!("{}/datasets/{repo}/tree/{revision}", endpoint.trim_end_matches('/'));
    if as_json {
        return output::json(&json!({
            "url": url, "commit": commit, "changed": changed, "partial": partial, "files": files,
            "sent_files": sent_files, "sent_bytes": sent_bytes, "deleted_files": deleted_files,
        }));
    }
    if !changed {
        return output::line(&format!("{url} has all {files} files already"));
    }
    output::line(&format!(
        "{files} files in {url} ({sent_files} sent, {sent_bytes} bytes; {deleted_files} old ones deleted)"
    ))
}

fn bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("pushing      [{bar:32}] {bytes}/{total_bytes}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn jobs_corpora_and_directories_are_told_apart() {
        let id = "01900000-0000-7000-8000-000000000000";
        assert_eq!(base(id), Some(format!("/v1/jobs/{id}/corpus")));
        assert_eq!(base(&format!("jobs/{id}")), Some(format!("/v1/jobs/{id}/corpus")));
        assert_eq!(base(&format!("corpora/{id}")), Some(format!("/v1/corpora/{id}/corpus")));
        for directory in [".", "corpus", &format!("./{id}"), "corpora/mine", "/tmp/x"] {
            assert_eq!(base(directory), None, "{directory}");
        }
    }
}
