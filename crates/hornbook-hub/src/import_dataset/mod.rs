//! A dataset of the Hub as a list of Parquet files, pinned to one commit.
//!
//! The files are pulled one by one like any other file; see [`DatasetSpec::file`].

mod choose;
mod list;

use std::path::Path;

use hornbook_inference::Secret;

use crate::PullSpec;

pub use list::list_dataset;

/// Most files that one dataset may have.
pub(crate) const DATASET_FILES: usize = 200_000;
/// Most files that one import may read.
pub const IMPORT_FILES: usize = 20_000;
/// Most bytes that the files of one import may have together.
pub const IMPORT_BYTES: u64 = 1024 * 1024 * 1024 * 1024;

/// Which part of which dataset.
#[derive(Clone, Debug)]
pub struct DatasetSpec {
    /// The server, such as [`crate::HUB_ENDPOINT`].
    pub endpoint: String,
    /// Sent to the endpoint alone, never to a host that it redirects to.
    pub token: Option<Secret>,
    /// `owner/name`.
    pub repo: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// The configuration; `default` for datasets that have none.
    pub config: String,
    /// The split.
    pub split: String,
}

/// The files of a split as they were at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// The commit, 40 hex digits.
    pub commit: String,
    /// Parquet files, in the order of their paths.
    pub files: Vec<DatasetFile>,
}

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFile {
    /// Path within the repository.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
}

impl DatasetSpec {
    /// What to pull for the file `path` of `commit`, into `dir`.
    pub fn file(&self, commit: &str, path: &str, dir: &Path) -> PullSpec {
        PullSpec {
            endpoint: self.endpoint.clone(),
            token: self.token.clone(),
            repo: format!("datasets/{}", self.repo),
            revision: commit.to_owned(),
            file: path.to_owned(),
            dest_dir: dir.to_owned(),
            expected_sha256: None,
        }
    }
}
