//! Why there is no embedded database, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded Postgres could not be started, adopted or attached to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another service owns the data directory.
    #[error("data directory {} is in use by another service{}", path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it, when it said so.
        holder: Option<u32>,
    },
    /// No server binaries were found.
    #[error(
        "no postgres server binaries in {searched}; install the package postgresql, name a directory in HORNBOOK_PG_BIN, or set DATABASE_URL"
    )]
    NoBinaries {
        /// The places that were searched, in order.
        searched: String,
    },
    /// The server binary lacks its executable bit, as after unpacking a wheel with a tool that drops modes.
    #[error("{} is not executable; run chmod +x on it and its neighbours", path.display())]
    NotExecutable {
        /// The binary.
        path: PathBuf,
    },
    /// Binaries were found, of other major versions than the cluster's.
    #[error("the cluster in {} was made by postgres {cluster}, but only version {found} was found; install postgresql-{cluster} or upgrade the cluster", path.display())]
    VersionMismatch {
        /// The cluster's directory.
        path: PathBuf,
        /// The major version that made the cluster.
        cluster: u32,
        /// The major versions found.
        found: String,
    },
    /// The found binaries are older than this program can use.
    #[error("postgres {found} is too old; version {minimum} or newer is needed")]
    TooOld {
        /// The newest major version found.
        found: u32,
        /// The oldest major version that will do.
        minimum: u32,
    },
    /// The server's user may not pass through a directory on the way.
    #[error("the server's user (uid {uid}) cannot enter {}; allow it with chmod o+x or choose another data directory", path.display())]
    CannotEnter {
        /// The directory that stops it.
        path: PathBuf,
        /// The user the server would run as.
        uid: u32,
    },
    /// The cluster belongs to another user, and only root could run a server as that user.
    #[error("{} belongs to uid {owner}, but this is uid {uid}", path.display())]
    NotOwner {
        /// The cluster's directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// This process's user.
        uid: u32,
    },
    /// No directory with a short enough path could be made for the socket.
    #[error("no short directory for the socket could be made in {tried}")]
    NoSocketDir {
        /// The parents that were tried.
        tried: String,
    },
    /// A file or directory could not be used.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program of Postgres failed.
    #[error("{program} failed: {output}")]
    Program {
        /// The program's name.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },
    /// The server ended before it was ready.
    #[error("postgres did not start: {log}")]
    Exited {
        /// The end of the server's log.
        log: String,
    },
    /// The server was not ready in time.
    #[error("postgres was not ready after {seconds} s; its log is {}", log.display())]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// The server's log file.
        log: PathBuf,
    },
    /// Processes of an earlier server are still there.
    #[error("processes of an earlier postgres still use {} after {seconds} s", path.display())]
    StillInUse {
        /// The cluster's directory.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The data directory has no running server to attach to.
    #[error("no postgres is running in {}; start hornbook serve there first", path.display())]
    NotRunning {
        /// The data directory.
        path: PathBuf,
    },
    /// The server runs but does not answer.
    #[error("could not connect to postgres in {}", socket_dir.display())]
    Connect {
        /// The socket's directory.
        socket_dir: PathBuf,
        /// Why it failed.
        source: sqlx::Error,
    },
}

impl StartError {
    /// Makes the closure for `map_err` that names the file and what was tried with it.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_path_buf(), source }
    }
}

/// Why the embedded Postgres could not be stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The server did not end after a fast and an immediate shutdown.
    #[error("postgres (process {pid}) is still running after {seconds} s")]
    StillRunning {
        /// The postmaster.
        pid: u32,
        /// How long was waited.
        seconds: u64,
    },
    /// The task that watches the server died.
    #[error("the task that watches postgres failed")]
    Watcher(#[source] tokio::task::JoinError),
}
