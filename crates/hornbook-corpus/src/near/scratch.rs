//! The directory of one run, and how much lies in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::AssembleError;

/// Name of the directory inside the caller's.
const NAME: &str = "near-dedup";

/// A directory of its own; it goes away with this, and what a killed run left in it goes before.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: PathBuf,
    bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

impl Scratch {
    /// Makes it, empty.
    pub(super) fn new(parent: &Path) -> Result<Self, AssembleError> {
        let dir = parent.join(NAME);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AssembleError::io(&dir)(error));
            }
            _ => fs::create_dir_all(&dir).map_err(AssembleError::io(&dir))?,
        }
        Ok(Self { dir, bytes: AtomicU64::new(0), peak_bytes: AtomicU64::new(0) })
    }

    /// Where a file of that name lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Counts bytes that were written.
    pub(super) fn grew(&self, bytes: u64) {
        let now = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak_bytes.fetch_max(now, Ordering::Relaxed);
    }

    /// Counts bytes that were removed.
    pub(super) fn shrank(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The most bytes that lay in it at once.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
