//! A file that is on its way: what there is of it, hashed as it grows.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::PullError;

/// Bytes read at once when a file is hashed.
const READ_BYTES: usize = 1024 * 1024;

/// The part file, open and locked for this process alone.
pub(crate) struct Part {
    path: PathBuf,
    file: tokio::fs::File,
    hasher: Sha256,
    bytes: u64,
}

impl Part {
    /// Opens or makes the part file; what is in it counts only if `keep`.
    pub(crate) async fn open(path: PathBuf, keep: bool) -> Result<Self, PullError> {
        blocking(move || Self::open_now(path, keep)).await
    }

    fn open_now(path: PathBuf, keep: bool) -> Result<Self, PullError> {
        let io = PullError::io;
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PullError::Busy(path)),
            Err(TryLockError::Error(fault)) => return Err(io(&path)(fault)),
        }
        // Whoever held the lock may just have renamed the file away from under this handle.
        let still_here = std::fs::metadata(&path).is_ok_and(|named| {
            file.metadata().is_ok_and(|held| held.ino() == named.ino() && held.dev() == named.dev())
        });
        if !still_here {
            return Err(PullError::Busy(path));
        }
        if !keep {
            file.set_len(0).map_err(io(&path))?;
        }
        let (hasher, bytes) = hash(&mut file).map_err(io(&path))?;
        Ok(Self { path, file: tokio::fs::File::from_std(file), hasher, bytes })
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds what came next.
    pub(crate) async fn append(&mut self, piece: &[u8]) -> Result<(), PullError> {
        self.file.write_all(piece).await.map_err(PullError::io(&self.path))?;
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Begins again from nothing.
    pub(crate) async fn restart(self) -> Result<Self, PullError> {
        let Self { path, mut file, .. } = self;
        let io = PullError::io;
        file.set_len(0).await.map_err(io(&path))?;
        tokio::io::AsyncSeekExt::rewind(&mut file).await.map_err(io(&path))?;
        Ok(Self { path, file, hasher: Sha256::new(), bytes: 0 })
    }

    /// Makes sure that everything appended can be found again.
    pub(crate) async fn flush(&mut self) -> Result<(), PullError> {
        self.file.flush().await.map_err(PullError::io(&self.path))
    }

    /// Checks the hash and puts the whole file where it belongs.
    pub(crate) async fn finish(
        mut self,
        expected_sha256: Option<&str>,
        destination: &Path,
    ) -> Result<(), PullError> {
        let io = PullError::io;
        self.flush().await?;
        let actual = hex::encode(self.hasher.finalize());
        if let Some(expected) = expected_sha256
            && expected != actual
        {
            // Nothing good can grow from these bytes.
            tokio::fs::remove_file(&self.path).await.map_err(io(&self.path))?;
            return Err(PullError::WrongHash { expected: expected.to_owned(), actual });
        }
        self.file.sync_all().await.map_err(io(&self.path))?;
        tokio::fs::rename(&self.path, destination).await.map_err(io(destination))?;
        sync_directory(destination).await
    }
}

/// A rename is durable when its directory is.
async fn sync_directory(file: &Path) -> Result<(), PullError> {
    let directory = file.parent().unwrap_or(Path::new(".")).to_owned();
    blocking(move || {
        File::open(&directory)
            .and_then(|opened| opened.sync_all())
            .map_err(PullError::io(&directory))
    })
    .await
}

/// The SHA-256 of a whole file; `None` when there is no such file.
pub(crate) async fn sha256_of(path: PathBuf) -> Result<Option<String>, PullError> {
    blocking(move || match File::open(&path) {
        Ok(mut file) => {
            let (hasher, _) = hash(&mut file).map_err(PullError::io(&path))?;
            Ok(Some(hex::encode(hasher.finalize())))
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(PullError::io(&path)(fault)),
    })
    .await
}

/// Reads to the end, where the next write belongs.
fn hash(file: &mut File) -> io::Result<(Sha256, u64)> {
    let mut hasher = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; READ_BYTES];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((hasher, bytes)),
            Ok(read) => {
                hasher.update(&piece[..read]);
                bytes += read as u64;
            }
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PullError> + Send + 'static,
) -> Result<T, PullError> {
    // The task ends without a result only when the runtime is shutting down.
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|fault| Err(PullError::Unexpected(fault.to_string())))
}
