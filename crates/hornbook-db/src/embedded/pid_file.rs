//! The server's pid file, and who really stands behind the number in it.
//!
//! A number is only a number: after a reboot or a few days it may belong to any program. What counts is the
//! process's executable and its working directory, as the kernel reports them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    /// The postmaster, if it is still the same process.
    pub(super) pid: u32,
    /// The directory of its socket, once it has one.
    pub(super) socket_dir: Option<PathBuf>,
    /// Its state in one word, once it has one.
    pub(super) state: Option<ServerState>,
}

/// How far a server says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerState {
    /// Starting up or recovering.
    Starting,
    /// Taking connections.
    Ready,
    /// Shutting down.
    Stopping,
}

impl PidFile {
    /// Reads a cluster's pid file; `None` when there is none or it has no number in it.
    pub(super) fn read(pgdata: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(pgdata.join("postmaster.pid")) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lines: pid, data directory, start time, port, socket directory, address, shared memory key, state.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        // A single-user server writes its number with a minus sign.
        let pid = lines.first()?.trim_start_matches('-').parse().ok()?;
        let socket_dir = lines.get(4).filter(|line| !line.is_empty()).map(PathBuf::from);
        let state = lines.get(7).and_then(|line| match *line {
            "starting" => Some(ServerState::Starting),
            "ready" => Some(ServerState::Ready),
            "stopping" => Some(ServerState::Stopping),
            _ => None,
        });
        Some(Self { pid, socket_dir, state })
    }
}

/// Who a process is, seen from one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The postmaster of this cluster.
    Ours,
    /// Another program, or Postgres on another cluster.
    Foreign,
    /// No such process, or a dead one that nobody has collected.
    Gone,
    /// This system does not tell.
    Unknown,
}

/// Finds out whether `pid` is the postmaster of `pgdata`, by its executable and its working directory.
pub(super) fn identify(pid: u32, pgdata: &Path) -> Identity {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let executable = match fs::read_link(process.join("exe")) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Identity::Foreign,
        // Neither a missing process nor a dead one has an executable; without /proc nothing can be told.
        Err(_) if Path::new("/proc/self/exe").exists() => return Identity::Gone,
        Err(_) => return Identity::Unknown,
    };
    let name = executable.file_name().unwrap_or_default().to_string_lossy();
    // An upgraded package leaves the running file without a name; the kernel then appends a note.
    if name.trim_end_matches(" (deleted)") != "postgres" {
        return Identity::Foreign;
    }
    // The postmaster works in its data directory; so do its children, which title themselves "postgres: role".
    let here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == pgdata);
    let child =
        fs::read(process.join("cmdline")).is_ok_and(|title| title.starts_with(b"postgres: "));
    if here && !child { Identity::Ours } else { Identity::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_and_its_beginnings_are_understood() {
        let text = "4711\n/var/lib/hornbook/postgres/cluster/data\n1700000000\n5432\n/run/x\n\n  123456         7\nready   \n";
        let file = PidFile::parse(text).expect("pid file");
        assert_eq!(file.pid, 4711);
        assert_eq!(file.socket_dir, Some(PathBuf::from("/run/x")));
        assert_eq!(file.state, Some(ServerState::Ready));
        let begun = PidFile::parse("4711\n/data\n").expect("pid file");
        assert_eq!((begun.pid, begun.socket_dir, begun.state), (4711, None, None));
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("what\n"), None);
    }

    #[test]
    fn this_process_is_not_postgres() {
        assert_eq!(identify(std::process::id(), Path::new("/")), Identity::Foreign);
    }
}
