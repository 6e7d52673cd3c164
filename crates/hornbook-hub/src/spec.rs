//! Which file to pull, from where to where.

use std::path::{Path, PathBuf};

use hornbook_inference::Secret;
use hornbook_inference::http::Url;

use crate::PullError;

/// The Hub itself; mirrors and stand-ins are given in its place.
pub const HUB_ENDPOINT: &str = "https://huggingface.co";
/// Longest repository, revision or file name.
const NAME_BYTES: usize = 512;

/// Which file to pull, from where to where.
#[derive(Clone, Debug)]
pub struct PullSpec {
    /// The server, such as [`HUB_ENDPOINT`].
    pub endpoint: String,
    /// Sent to the endpoint alone, never to a host that it redirects to.
    pub token: Option<Secret>,
    /// `owner/name`.
    pub repo: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// Path of the file within the repository.
    pub file: String,
    /// Where the file goes, under its own path.
    pub dest_dir: PathBuf,
    /// SHA-256 that the file must have, 64 hex digits; without it, the one that the server names.
    pub expected_sha256: Option<String>,
}

impl PullSpec {
    /// The URL that leads to the file.
    pub(crate) fn url(&self) -> Result<Url, PullError> {
        let bad = |detail: &str| PullError::BadSpec(format!("endpoint: {detail}"));
        let mut url = Url::parse(&self.endpoint).map_err(|fault| bad(&fault.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("must have no query and no fragment"));
        }
        url.path_segments_mut()
            .map_err(|()| bad("must be an http or https URL"))?
            .pop_if_empty()
            .extend(parts("repo", &self.repo)?)
            .push("resolve")
            // One segment: a slash within (refs/pr/1) is escaped.
            .push(&parts("revision", &self.revision)?.join("/"))
            .extend(parts("file", &self.file)?);
        Ok(url)
    }

    /// Where the whole file goes.
    pub(crate) fn destination(&self) -> Result<PathBuf, PullError> {
        Ok(self.dest_dir.join(parts("file", &self.file)?.iter().collect::<PathBuf>()))
    }

    /// The expected hash in lower case.
    pub(crate) fn expected(&self) -> Result<Option<String>, PullError> {
        match &self.expected_sha256 {
            None => Ok(None),
            Some(hash) if is_sha256(hash) => Ok(Some(hash.to_ascii_lowercase())),
            Some(_) => Err(PullError::BadSpec("a sha256 has 64 hex digits".into())),
        }
    }

    /// The file's name for messages.
    pub(crate) fn name(&self) -> String {
        match self.file.as_str() {
            "" => format!("{} at {}", self.repo, self.revision),
            file => format!("{}/{file} at {}", self.repo, self.revision),
        }
    }
}

/// Where a file grows until it is whole.
pub(crate) fn part_path(destination: &Path) -> PathBuf {
    let mut name = destination.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The parts of a path of which none leads anywhere else.
pub(crate) fn parts<'a>(what: &str, path: &'a str) -> Result<Vec<&'a str>, PullError> {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| {
        !matches!(*part, "" | "." | "..")
            && !part.contains('\\')
            && !part.chars().any(char::is_control)
    };
    if path.len() <= NAME_BYTES && parts.iter().all(plain) {
        Ok(parts)
    } else {
        Err(PullError::BadSpec(format!("{what}: not a plain path")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(repo: &str, revision: &str, file: &str) -> PullSpec {
        PullSpec {
            endpoint: "https://hub.example/base/".into(),
            token: None,
            repo: repo.into(),
            revision: revision.into(),
            file: file.into(),
            dest_dir: "/d".into(),
            expected_sha256: None,
        }
    }

    #[test]
    fn makes_the_hubs_urls() {
        let spec = spec("org/name", "refs/pr/1", "sub/m o#d?el.gguf");
        let expected =
            "https://hub.example/base/org/name/resolve/refs%2Fpr%2F1/sub/m%20o%23d%3Fel.gguf";
        assert_eq!(spec.url().unwrap().as_str(), expected);
        assert_eq!(spec.destination().unwrap(), Path::new("/d/sub/m o#d?el.gguf"));
    }

    #[test]
    fn refuses_paths_that_lead_elsewhere() {
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\\..\\b", "a\0b", "./a"] {
            assert!(spec("o/n", "main", bad).destination().is_err(), "{bad:?}");
            assert!(spec("o/n", bad, "f").url().is_err(), "{bad:?}");
            assert!(spec(bad, "main", "f").url().is_err(), "{bad:?}");
        }
    }
}
