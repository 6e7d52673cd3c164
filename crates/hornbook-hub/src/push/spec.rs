//! Where a corpus is pushed to.

use hornbook_inference::Secret;
use hornbook_inference::http::Url;

use super::PushError;
use super::limits::NAME_BYTES;

/// Where a corpus is pushed to.
#[derive(Clone, Debug)]
pub struct PushSpec {
    /// The server, such as [`crate::HUB_ENDPOINT`]; only `https`, except on this machine.
    pub endpoint: String,
    /// Sent to the endpoint alone, never to where it lets files be uploaded.
    pub token: Secret,
    /// `org/name`.
    pub repo: String,
    /// The branch; made when it is not there.
    pub revision: String,
    /// True: a repository that is made now is private. One that is there stays as it is.
    pub private: bool,
    /// First line of the commit's message.
    pub message: String,
}

impl PushSpec {
    /// The endpoint, when a token may be sent there.
    pub(super) fn endpoint(&self) -> Result<Url, PushError> {
        let bad = |detail: &str| PushError::BadSpec(format!("endpoint: {detail}"));
        let url = Url::parse(&self.endpoint).map_err(|fault| bad(&fault.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() || url.cannot_be_a_base() {
            return Err(bad("must be an http or https URL without query and fragment"));
        }
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !here {
            return Err(bad("must be https, or the token could be read on its way"));
        }
        Ok(url)
    }

    /// Owner and name of the repository.
    pub(super) fn owner_and_name(&self) -> Result<(&str, &str), PushError> {
        let fits = |part: &str| {
            (1..=NAME_BYTES).contains(&part.len())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !part.starts_with(['.', '-'])
                && !part.ends_with(['.', '-'])
                && !part.contains("--")
                && !part.contains("..")
        };
        match self.repo.split_once('/') {
            Some((owner, name)) if fits(owner) && fits(name) => Ok((owner, name)),
            _ => Err(PushError::BadSpec(format!(
                "{:?} is not org/name (letters, digits, '.', '_' and '-')",
                self.repo
            ))),
        }
    }

    /// Refuses branches that no URL should hold.
    pub(super) fn check_revision(&self) -> Result<(), PushError> {
        let fits = (1..=NAME_BYTES).contains(&self.revision.len())
            && self.revision.split('/').all(|part| {
                part.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            });
        if fits {
            Ok(())
        } else {
            Err(PushError::BadSpec("the revision is no plain branch name".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(endpoint: &str, repo: &str, revision: &str) -> PushSpec {
        PushSpec {
            endpoint: endpoint.into(),
            token: Secret::new("hf_x"),
            repo: repo.into(),
            revision: revision.into(),
            private: false,
            message: "m".into(),
        }
    }

    #[test]
    fn a_token_travels_encrypted_or_not_at_all() {
        for good in
            ["https://huggingface.co", "http://127.0.0.1:80", "http://localhost", "http://[::1]:9"]
        {
            assert!(spec(good, "o/n", "main").endpoint().is_ok(), "{good}");
        }
        for bad in [
            "http://huggingface.co",
            "http://127.0.0.1.evil.example",
            "file:///x",
            "https://h/?q",
            "x",
        ] {
            assert!(spec(bad, "o/n", "main").endpoint().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_the_hubs() {
        assert_eq!(
            spec("", "my-org/my.data_1", "").owner_and_name().unwrap(),
            ("my-org", "my.data_1")
        );
        for bad in ["name", "a/b/c", "a/", "/b", "a/..", "a/b--c", "a/.b", "a/b c", "a/b%2f"] {
            assert!(spec("", bad, "").owner_and_name().is_err(), "{bad}");
        }
        assert!(spec("", "", "refs/pr/1").check_revision().is_ok());
        for bad in ["", "../x", "a//b", ".x", "a b", "a?b"] {
            assert!(spec("", "", bad).check_revision().is_err(), "{bad}");
        }
    }
}
