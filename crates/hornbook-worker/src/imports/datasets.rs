//! Where datasets come from; the binary hands it over, so that this crate knows no Hub.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

/// A part of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetWanted {
    /// `owner/name`.
    pub hub: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// The configuration.
    pub config: String,
    /// The split.
    pub split: String,
}

/// The Parquet files of a split, as they are at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFound {
    /// The commit.
    pub commit: String,
    /// Paths of the files, in the order in which they are read.
    pub files: Vec<String>,
}

/// Why a dataset, or a file of it, could not be had; the words are for whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetFault {
    /// Trying again may help.
    #[error("{0}")]
    Later(String),
    /// Trying again will not help.
    #[error("{0}")]
    Never(String),
}

/// Finds datasets and fetches their files.
pub trait Datasets: Send + Sync {
    /// Which files the split has.
    fn find<'a>(
        &'a self,
        wanted: &'a DatasetWanted,
    ) -> BoxFuture<'a, Result<DatasetFound, DatasetFault>>;

    /// Fetches one file of a commit to somewhere below `dir`; what is there of it is gone on with.
    fn pull<'a>(
        &'a self,
        wanted: &'a DatasetWanted,
        commit: &'a str,
        file: &'a str,
        dir: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, DatasetFault>>;
}
