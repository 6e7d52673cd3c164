//! Recognises a server of this cluster that outlived its service, and waits out one that is leaving.

use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::Instant;

use super::connect;
use super::error::StartError;
use super::launch::Setup;
use super::pid_file::{Identity, PidFile, ServerState, identify};
use super::supervise::Server;

/// How long a found server may take to become ready or to leave.
const SETTLE_LIMIT: Duration = Duration::from_secs(600);
/// The pause between two looks at it.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// Returns the running server of this cluster, or `None` when one must be started.
///
/// A number in the pid file is believed only when its process is Postgres in this very data directory. A server that
/// runs but has lost its socket is stopped, so that a fresh one can take its place.
pub(super) async fn adopt(setup: &Setup) -> Result<Option<Server>, StartError> {
    let pgdata = &setup.layout.pgdata;
    let deadline = Instant::now() + SETTLE_LIMIT;
    let mut stopped = false;
    while Instant::now() < deadline {
        let Some(file) =
            PidFile::read(pgdata).map_err(StartError::file("read the pid file in", pgdata))?
        else {
            return Ok(None);
        };
        if identify(file.pid, pgdata) != Identity::Ours {
            return Ok(None);
        }
        if file.state == Some(ServerState::Ready) && !stopped {
            let same_socket = file.socket_dir.as_deref() == Some(setup.socket_dir.as_path());
            if same_socket && connect::answers(&setup.socket_dir).await {
                tracing::info!(pid = file.pid, "adopted the running postgres");
                return Ok(Some(Server::Adopted { pid: file.pid, pgdata: pgdata.clone() }));
            }
            tracing::warn!(
                pid = file.pid,
                "the running postgres does not answer at its socket, replacing it"
            );
            signal(file.pid, Signal::INT);
            stopped = true;
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    Err(StartError::NotReady { seconds: SETTLE_LIMIT.as_secs(), log: setup.layout.log.clone() })
}

/// Sends a signal to a process that was just identified; one that is gone needs none.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only failure is that the process is gone already.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
