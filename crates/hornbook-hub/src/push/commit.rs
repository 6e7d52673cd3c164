//! The commit: one request with everything in it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hornbook_inference::http::Method;
use hornbook_inference::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::PushError;
use super::api::{Api, Tried};
use super::limits::{INLINE_BYTES, INLINE_FILE_BYTES, SLOWEST_BYTES_PER_SECOND};
use super::repo::{Mode, Planned};
use super::source::{PushFile, Source, read};

/// What the Hub made of a push.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Committed {
    /// The new commit.
    pub(super) commit_oid: String,
}

impl Api<'_> {
    /// Commits files, in one piece; it fails if the branch is no longer at `parent`.
    pub(super) async fn commit(
        &self,
        source: &dyn Source,
        planned: &[Planned<'_>],
        stale: &[String],
        parent: Option<&str>,
    ) -> Result<Committed, PushError> {
        let mut header = json!({ "summary": self.spec.message, "description": "" });
        if let Some(parent) = parent {
            header["parentCommit"] = parent.into();
        }
        let mut lines = String::new();
        let mut line = |key: &str, value: Value| {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{}", json!({ "key": key, "value": value }));
        };
        line("header", header);
        let mut inline_bytes = 0;
        for Planned { file, mode } in planned {
            match mode {
                Mode::Lfs => line(
                    "lfsFile",
                    json!({
                        "path": file.path, "algo": "sha256", "oid": file.sha256, "size": file.bytes,
                    }),
                ),
                Mode::Regular => {
                    inline_bytes += file.bytes;
                    if inline_bytes > INLINE_BYTES {
                        let detail = format!("more than {INLINE_BYTES} bytes of small files");
                        return Err(PushError::BadCorpus(detail));
                    }
                    let content = STANDARD.encode(inline(source, file).await?);
                    let value =
                        json!({ "path": file.path, "encoding": "base64", "content": content });
                    line("file", value);
                }
            }
        }
        for path in stale {
            line("deletedFile", json!({ "path": path }));
        }
        self.send(lines).await
    }

    /// Sent once: had only the answer been lost, the next push would find nothing left to do.
    async fn send(&self, lines: String) -> Result<Committed, PushError> {
        let doing = "committing";
        let url = self.repo_url(&["commit", &self.spec.revision]);
        let seconds = lines.len() as u64 / SLOWEST_BYTES_PER_SECOND;
        let request = self.request(doing, Method::POST, &url)?;
        let request = request.header(CONTENT_TYPE, "application/x-ndjson").body(lines);
        match self.once(doing, request, seconds).await? {
            Tried::Answer(response) => self.read(doing, self.good(doing, response).await?).await,
            Tried::Again { why, .. } => Err(why),
        }
    }
}

/// The content of a file that goes into the commit, held against its hash: nobody checks it later.
pub(super) async fn inline(source: &dyn Source, file: &PushFile) -> Result<Bytes, PushError> {
    if file.bytes > INLINE_FILE_BYTES {
        return Err(PushError::BadCorpus(format!(
            "the repository wants {} within the commit, which holds no file over {INLINE_FILE_BYTES} bytes",
            file.path
        )));
    }
    let content = read(source, file, 0..file.bytes).await?;
    if hex::encode(Sha256::digest(&content)) == file.sha256 {
        Ok(content)
    } else {
        Err(PushError::BadCorpus(format!("{} is not the file that the manifest names", file.path)))
    }
}
