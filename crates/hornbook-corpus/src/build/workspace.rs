//! Where a build works until its corpus is complete.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::manifest::BuildManifest;
use super::sync_tree;
use crate::error::AssembleError;
use crate::manifest::MANIFEST_PATH;

/// A hidden directory beside the corpus, held by one build at a time.
///
/// It has the facts of each source under their content, and the corpus while it is written. A killed build leaves
/// it; the next one for the same corpus uses what fits and does the rest again.
pub(super) struct Workspace {
    out: PathBuf,
    dir: PathBuf,
    facts: PathBuf,
    /// Holds the lock as long as it is open.
    _lock: File,
}

impl Workspace {
    /// Takes the workspace of the corpus at `out`.
    pub(super) fn open(out: &Path) -> Result<Self, AssembleError> {
        let wrong = || AssembleError::Request(format!("{} cannot be a corpus", out.display()));
        let name = out.file_name().ok_or_else(wrong)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".building");
        let dir = out.with_file_name(hidden);
        if fs::metadata(out).is_ok_and(|there| !there.is_dir()) {
            let message = format!("{} is not a directory", out.display());
            return Err(AssembleError::Request(message));
        }
        let facts = dir.join("facts");
        fs::create_dir_all(&facts).map_err(AssembleError::io(&facts))?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(AssembleError::io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { out: out.to_owned(), dir, facts, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(AssembleError::Request(format!(
                "another build of {} is under way",
                out.display()
            ))),
            Err(TryLockError::Error(error)) => Err(AssembleError::io(&path)(error)),
        }
    }

    /// The workspace itself.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where facts are kept.
    pub(super) fn facts(&self) -> &Path {
        &self.facts
    }

    /// The corpus at `out`, if the same build has completed it; an error if anything else is there.
    pub(super) fn published(&self, digest: &str) -> Result<Option<BuildManifest>, AssembleError> {
        let empty = match fs::read_dir(&self.out) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(AssembleError::io(&self.out)(error)),
        };
        if empty {
            return Ok(None);
        }
        let manifest = fs::read(self.out.join(MANIFEST_PATH)).ok();
        let manifest: Option<BuildManifest> =
            manifest.and_then(|json| serde_json::from_slice(&json).ok());
        match manifest {
            Some(manifest) if manifest.content.spec_digest == digest => Ok(Some(manifest)),
            _ => {
                // What was kept for a corpus that cannot be written would only lie about.
                self.clear()?;
                Err(AssembleError::Request(format!(
                    "{} is not empty, and not the corpus of these sources and settings",
                    self.out.display()
                )))
            }
        }
    }

    /// An empty directory for the corpus.
    pub(super) fn begin_corpus(&self) -> Result<PathBuf, AssembleError> {
        let place = self.dir.join("corpus");
        remove(&place)?;
        fs::create_dir_all(&place).map_err(AssembleError::io(&place))?;
        Ok(place)
    }

    /// Puts the complete corpus in its place, in one step, and clears up.
    pub(super) fn publish(&self, place: &Path) -> Result<(), AssembleError> {
        sync_tree(place)?;
        fs::rename(place, &self.out).map_err(AssembleError::io(&self.out))?;
        self.clear()
    }

    /// Takes the workspace away.
    pub(super) fn clear(&self) -> Result<(), AssembleError> {
        remove(&self.dir)
    }
}

fn remove(dir: &Path) -> Result<(), AssembleError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(AssembleError::io(dir)(error)),
        _ => Ok(()),
    }
}
