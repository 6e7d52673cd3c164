//! The repository: made when it is not there, and asked how it wants each file.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hornbook_inference::http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::api::Api;
use super::limits::{FILES_AT_ONCE, SAMPLE_BYTES};
use super::source::{PushFile, Source, read};
use super::{PushError, PushSpec};

const JSON: &str = "application/json";
/// The branch that every repository has.
const MAIN: &str = "main";

/// What the Hub says of a repository.
#[derive(Deserialize)]
pub(super) struct RepoInfo {
    /// The commit that the revision names; none before the first.
    #[serde(default)]
    pub(super) sha: Option<String>,
}

/// How the Hub wants a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Within the commit.
    Regular,
    /// In large-file storage, under its hash.
    Lfs,
}

/// What the Hub answered about a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    path: String,
    upload_mode: Mode,
    #[serde(default)]
    should_ignore: bool,
    /// Of what it has at this path: the SHA-256 of a large file, git's id of any other.
    #[serde(default)]
    oid: Option<String>,
}

/// A file with the way it is to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned<'a> {
    pub(super) file: &'a PushFile,
    pub(super) mode: Mode,
}

impl Api<'_> {
    /// Makes the repository and the branch, unless they are there; the commit that the branch names.
    pub(super) async fn prepare(&self) -> Result<RepoInfo, PushError> {
        let PushSpec { revision, private, .. } = self.spec;
        let (owner, name) = self.spec.owner_and_name()?;
        let mut body = json!({ "type": "dataset", "organization": owner, "name": name });
        if *private {
            body["private"] = true.into();
        }
        let doing = "making the repository";
        let url = self.url(&["api", "repos", "create"]);
        let response = self.post(doing, &url, &body).await?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::CONFLICT => {}
            // A token for one repository may not make any, but may write to this one.
            StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
                let refusal = self.refusal(doing, response).await;
                let there = self.repo_url(&[]);
                let asked: Result<RepoInfo, _> =
                    self.ask("looking at the repository", Method::GET, &there, None, JSON).await;
                if asked.is_err() {
                    return Err(refusal);
                }
            }
            _ => return Err(self.refusal(doing, response).await),
        }
        if revision != MAIN {
            let doing = "making the branch";
            let url = self.repo_url(&["branch", revision]);
            let response = self.post(doing, &url, &json!({})).await?;
            if response.status() != StatusCode::CONFLICT {
                self.good(doing, response).await?;
            }
        }
        let url = self.repo_url(&["revision", revision]);
        self.ask("looking at the branch", Method::GET, &url, None, JSON).await
    }

    async fn post(
        &self,
        doing: &str,
        url: &hornbook_inference::http::Url,
        body: &Value,
    ) -> Result<Response, PushError> {
        self.retrying(async || {
            let request = self.request(doing, Method::POST, url)?;
            self.once(doing, request.json(body), 0).await
        })
        .await
    }

    /// Asks how each file is wanted, and leaves out what is there already.
    pub(super) async fn plan<'a>(
        &self,
        source: &dyn Source,
        files: &'a [PushFile],
    ) -> Result<Vec<Planned<'a>>, PushError> {
        #[derive(Deserialize)]
        struct Answer {
            files: Vec<Wanted>,
        }
        let url = self.repo_url(&["preupload", &self.spec.revision]);
        let mut planned = Vec::new();
        for chunk in files.chunks(FILES_AT_ONCE) {
            let mut asked = Vec::new();
            for file in chunk {
                let sample = read(source, file, 0..file.bytes.min(SAMPLE_BYTES)).await?;
                let sample = STANDARD.encode(sample);
                asked.push(json!({ "path": file.path, "size": file.bytes, "sample": sample }));
            }
            let doing = "asking how files are wanted";
            let body = json!({ "files": asked });
            let answer: Answer = self.ask(doing, Method::POST, &url, Some(&body), JSON).await?;
            let wanted: BTreeMap<&str, &Wanted> =
                answer.files.iter().map(|wanted| (wanted.path.as_str(), wanted)).collect();
            for file in chunk {
                let Some(wanted) = wanted.get(file.path.as_str()) else {
                    return Err(PushError::unexpected(
                        doing,
                        format!("nothing said of {}", file.path),
                    ));
                };
                if wanted.should_ignore {
                    return Err(PushError::Ignored(file.path.clone()));
                }
                // Object stores refuse empty objects.
                let mode = if file.bytes == 0 { Mode::Regular } else { wanted.upload_mode };
                let planning = Planned { file, mode };
                if !self.is_there(source, planning, wanted.oid.as_deref()).await? {
                    planned.push(planning);
                }
            }
        }
        Ok(planned)
    }

    /// True when the Hub has this very content at this path.
    async fn is_there(
        &self,
        source: &dyn Source,
        planned: Planned<'_>,
        theirs: Option<&str>,
    ) -> Result<bool, PushError> {
        let Some(theirs) = theirs else { return Ok(false) };
        match planned.mode {
            Mode::Lfs => Ok(theirs == planned.file.sha256),
            Mode::Regular => {
                let content = super::commit::inline(source, planned.file).await?;
                let mut oid = Sha1::new();
                oid.update(format!("blob {}\0", content.len()));
                oid.update(&content);
                Ok(theirs == hex::encode(oid.finalize()))
            }
        }
    }
}
