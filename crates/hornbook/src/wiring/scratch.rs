//! Scratch directories: one holder each at a time, and the next holder finds what the last one left.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::exit::{Context as _, Failure};

/// Most workers that may share one data directory.
const WORKERS_MAX: u32 = 1_024;

/// A directory that is this worker's until it is dropped or its process dies.
///
/// Numbered by lock and not by process id: containers that share a volume have the same process ids,
/// and a number that comes back lets segments be used again instead of piling up.
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Takes the first free directory below `parent`, making it if need be.
    pub(crate) fn take(parent: &Path) -> Result<Self, Failure> {
        for number in 0..WORKERS_MAX {
            let path = parent.join(number.to_string());
            let doing = format!("taking the scratch directory {}", path.display());
            std::fs::create_dir_all(&path).context(&doing)?;
            let lock = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path.join("lock"))
                .context(&doing)?;
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(Failure::error(format!("{doing}: {error}"))),
            }
        }
        Err(Failure::error(format!("more than {WORKERS_MAX} workers share {}", parent.display())))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::Scratch;

    #[test]
    fn a_directory_has_one_holder_and_comes_back() {
        let parent = tempfile::tempdir().unwrap();
        let first = Scratch::take(parent.path()).unwrap();
        let second = Scratch::take(parent.path()).unwrap();
        assert_ne!(first.path(), second.path());
        let path = first.path().to_owned();
        drop(first);
        assert_eq!(Scratch::take(parent.path()).unwrap().path(), path);
    }
}
