//! Files that an earlier push left and that would be read as part of the new corpus.

use std::collections::BTreeSet;

use hornbook_inference::http::{Method, StatusCode, read_capped};
use serde::Deserialize;

use super::PushError;
use super::api::Api;
use super::directory::{MANIFEST, ManifestFiles};
use super::limits::{FILES, MANIFEST_BYTES};
use super::source::{PushFile, is_plain};
use crate::PullSpec;
use crate::resolve;

#[derive(Deserialize)]
struct Found {
    path: String,
}

impl Api<'_> {
    /// Paths that the manifest in the repository vouches for and the new corpus does not have.
    ///
    /// Nothing else is ever deleted: a file that no manifest names is somebody's own.
    pub(super) async fn stale(&self, files: &[PushFile]) -> Result<Vec<String>, PushError> {
        let Some(before) = self.manifest().await? else { return Ok(Vec::new()) };
        let ours: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let gone: BTreeSet<&str> = before
            .paths()
            .filter(|path| !ours.contains(path) && is_plain(path))
            .take(FILES)
            .collect();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        // Deleting what is not there would fail the whole commit.
        let url = self.repo_url(&["paths-info", &self.spec.revision]);
        let doing = "looking for files of the corpus before";
        // Plain paths need no escaping.
        let mut form = String::from("expand=false");
        for path in &gone {
            form.push_str("&paths=");
            form.push_str(path);
        }
        let response = self
            .retrying(async || {
                let request = self.request(doing, Method::POST, &url)?;
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                self.once(doing, request.body(form.clone()), 0).await
            })
            .await?;
        let found: Vec<Found> = self.read(doing, self.good(doing, response).await?).await?;
        let found = found.into_iter().map(|found| found.path);
        Ok(found.filter(|path| gone.contains(path.as_str())).collect())
    }

    /// The manifest that the repository has now, if it has one that can be read.
    async fn manifest(&self) -> Result<Option<ManifestFiles>, PushError> {
        let doing = "reading the manifest that is there";
        let spec = PullSpec {
            endpoint: self.spec.endpoint.clone(),
            token: Some(self.spec.token.clone()),
            repo: format!("datasets/{}", self.spec.repo),
            revision: self.spec.revision.clone(),
            file: MANIFEST.to_owned(),
            dest_dir: std::path::PathBuf::new(),
            expected_sha256: None,
        };
        let unexpected = |fault: crate::PullError| PushError::unexpected(doing, fault.to_string());
        let url = spec.url().map_err(unexpected)?;
        let response = match resolve::open(self.client, &spec, &url, 0).await {
            Ok(response) if response.status() == StatusCode::OK => response,
            Ok(_) | Err(crate::PullError::NotFound { .. }) => return Ok(None),
            Err(fault) => return Err(unexpected(fault)),
        };
        let limit = usize::try_from(MANIFEST_BYTES).unwrap_or(usize::MAX);
        let text = read_capped(response, limit)
            .await
            .map_err(|source| PushError::Http { doing: doing.to_owned(), source })?;
        // A manifest of somebody else's kind vouches for nothing of ours.
        Ok(serde_json::from_slice(&text).ok())
    }
}
