//! Locks that die with their holders: one for the service, one for the server's processes.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::error::StartError;

/// One service's hold on a data directory, released when it is dropped or its process dies.
#[derive(Debug)]
pub(super) struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the lock at once or says who holds it.
    pub(super) fn take(data_dir: &Path) -> Result<Self, StartError> {
        let path = data_dir.join("lock");
        let mut file = open(&path)?;
        if !try_lock(&file, &path)? {
            let mut holder = String::new();
            // Best effort: the name of the holder only makes the message better.
            let _ = file.read_to_string(&mut holder);
            return Err(StartError::InUse {
                path: data_dir.to_path_buf(),
                holder: holder.trim().parse().ok(),
            });
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(StartError::file("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Takes the lock that a server's processes hold, or `None` while one of them lives.
///
/// The file becomes the postmaster's standard input, and every process that the postmaster forks inherits it: a
/// flock belongs to the open file, so it is free exactly when the last of them is gone. Unlike a process id it
/// cannot be reused, and it holds across pid namespaces that share a volume.
pub(super) fn take_server_lock(path: &Path) -> Result<Option<File>, StartError> {
    let file = open(path)?;
    Ok(try_lock(&file, path)?.then_some(file))
}

fn open(path: &Path) -> Result<File, StartError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(StartError::file("open", path))
}

fn try_lock(file: &File, path: &Path) -> Result<bool, StartError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(StartError::file("lock", path)(errno.into())),
    }
}
