//! The files that an import is read from, one after the other.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hornbook_records::{RecordFormat, files_below};
use hornbook_types::ImportOrigin;
use tokio_util::sync::CancellationToken;

use super::datasets::{DatasetFault, DatasetWanted, Datasets};
use super::fault::Fault;
use crate::limits::{FETCH_RETRY, FETCH_RETRY_MAX, FETCH_TRIES};
use crate::shared::Shared;

/// The files of one import.
pub(super) enum Sources<'a> {
    /// On the operator's disk; looked up anew for each file, so that nobody moves it meanwhile.
    Disk { root: &'a Path, labels: Vec<String> },
    /// On the Hub.
    Hub { datasets: &'a dyn Datasets, wanted: DatasetWanted, commit: String, files: Vec<String> },
}

/// One file, ready to be read.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) format: RecordFormat,
    /// Where it was fetched to, if it was.
    pub(super) fetched: Option<PathBuf>,
}

impl<'a> Sources<'a> {
    /// Finds the files; gives `origin` with the commit that was found.
    pub(super) async fn find(
        shared: &'a Shared,
        origin: &ImportOrigin,
        halt: &CancellationToken,
    ) -> Result<(Self, ImportOrigin), Fault> {
        match origin {
            ImportOrigin::Upload { .. } => {
                Err(Fault::Wrong("an upload cannot be fetched again".to_owned()))
            }
            ImportOrigin::Path { path } => {
                let root = shared.import_root.as_deref().ok_or(Fault::Stopped)?;
                let (place, path) = (root.to_owned(), path.clone());
                let found = blocking(move || files_below(&place, &path)).await?;
                let found = found.map_err(|why| Fault::Wrong(why.to_string()))?;
                let labels = found.into_iter().map(|file| file.label).collect();
                Ok((Self::Disk { root, labels }, origin.clone()))
            }
            ImportOrigin::Hub { hub, config, split, revision, commit } => {
                let datasets = shared.datasets.as_deref().ok_or(Fault::Stopped)?;
                let wanted = DatasetWanted {
                    hub: hub.clone(),
                    revision: commit.as_ref().unwrap_or(revision).clone(),
                    config: config.clone(),
                    split: split.clone(),
                };
                let found = patiently(halt, || datasets.find(&wanted)).await?;
                let pinned = ImportOrigin::Hub {
                    hub: hub.clone(),
                    config: config.clone(),
                    split: split.clone(),
                    revision: revision.clone(),
                    commit: Some(found.commit.clone()),
                };
                let (commit, files) = (found.commit, found.files);
                Ok((Self::Hub { datasets, wanted, commit, files }, pinned))
            }
        }
    }

    /// What the files are called.
    pub(super) fn labels(&self) -> &[String] {
        match self {
            Self::Disk { labels, .. } => labels,
            Self::Hub { files, .. } => files,
        }
    }

    /// Opens the file of that name, fetching it into `dir` if it has to be.
    pub(super) async fn open(
        &self,
        label: &str,
        dir: &Path,
        halt: &CancellationToken,
    ) -> Result<Opened, Fault> {
        match self {
            Self::Disk { root, .. } => {
                let (root, called) = ((*root).to_owned(), label.to_owned());
                let found = blocking(move || files_below(&root, &called)).await?;
                let found = found.map_err(|why| Fault::Wrong(why.to_string()))?;
                let [found] = found.as_slice() else {
                    return Err(Fault::file(label, "is no file any more"));
                };
                let (path, format) = (found.path.clone(), found.format);
                let file = blocking(move || File::open(path)).await?;
                let file = file.map_err(|error| Fault::file(label, error))?;
                Ok(Opened { file, format, fetched: None })
            }
            Self::Hub { datasets, wanted, commit, .. } => {
                let pull = || datasets.pull(wanted, commit, label, dir);
                let path = patiently(halt, pull).await?;
                let place = path.clone();
                let file = blocking(move || File::open(place)).await?;
                let file = file.map_err(|error| Fault::file(label, error))?;
                Ok(Opened { file, format: RecordFormat::Parquet, fetched: Some(path) })
            }
        }
    }
}

/// Asks again, ever more rarely, as long as that may help.
async fn patiently<T, F>(halt: &CancellationToken, mut ask: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, DatasetFault>>,
{
    let mut pause = FETCH_RETRY;
    let mut tries = 1;
    loop {
        let answer = tokio::select! {
            () = halt.cancelled() => return Err(Fault::Stopped),
            answer = ask() => answer,
        };
        match answer {
            Ok(found) => return Ok(found),
            Err(DatasetFault::Later(why)) if tries < FETCH_TRIES => {
                tracing::warn!(why, tries, "a dataset cannot be had yet");
            }
            Err(fault) => return Err(Fault::Wrong(fault.to_string())),
        }
        tokio::select! {
            () = halt.cancelled() => return Err(Fault::Stopped),
            () = tokio::time::sleep(pause) => {}
        }
        tries += 1;
        pause = Duration::min(pause * 2, FETCH_RETRY_MAX);
    }
}

/// Runs file work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    Ok(crate::segments::blocking(work).await?)
}
