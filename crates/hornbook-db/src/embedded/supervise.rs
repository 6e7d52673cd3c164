//! Watches the server: starts it again after a crash, stops it when told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::adopt::signal;
use super::error::StopError;
use super::launch::{Setup, launch};
use super::pid_file::{Identity, PidFile, identify};

/// How often a server that is not this process's child is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// The pause after a restart that failed altogether.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// How long a fast shutdown may take: it ends with a checkpoint.
const FAST_LIMIT: Duration = Duration::from_secs(60);
/// How long an immediate shutdown may take.
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(10);

/// What the embedded server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It takes connections.
    Running {
        /// The postmaster.
        pid: u32,
    },
    /// It died and is being started again.
    Restarting,
    /// It was stopped.
    Stopped,
}

/// A postmaster, whether this process started it or found it.
#[derive(Debug)]
pub(super) enum Server {
    /// Started here.
    Child {
        /// The handle that waits for it.
        child: Child,
        /// Its number.
        pid: u32,
    },
    /// Left by an earlier service.
    Adopted {
        /// Its number.
        pid: u32,
        /// The data directory that it is recognised by.
        pgdata: PathBuf,
    },
}

impl Server {
    fn pid(&self) -> u32 {
        match self {
            Self::Child { pid, .. } | Self::Adopted { pid, .. } => *pid,
        }
    }

    /// Waits until the postmaster is gone and says how it ended, as far as can be known.
    async fn exited(&mut self) -> String {
        match self {
            Self::Child { child, .. } => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            Self::Adopted { pid, pgdata } => {
                gone(*pid, pgdata).await;
                "gone".to_owned()
            }
        }
    }

    async fn shut_down(&mut self) -> Result<(), StopError> {
        for (kind, limit) in [(Signal::INT, FAST_LIMIT), (Signal::QUIT, IMMEDIATE_LIMIT)] {
            signal(self.pid(), kind);
            if tokio::time::timeout(limit, self.exited()).await.is_ok() {
                return Ok(());
            }
            tracing::warn!(pid = self.pid(), seconds = limit.as_secs(), "postgres has not stopped");
        }
        Err(StopError::StillRunning {
            pid: self.pid(),
            seconds: (FAST_LIMIT + IMMEDIATE_LIMIT).as_secs(),
        })
    }
}

/// Waits until `pid` is no longer the postmaster of `pgdata`.
async fn gone(pid: u32, pgdata: &Path) {
    while identify(pid, pgdata) == Identity::Ours {
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// The task that keeps a server running.
#[derive(Debug)]
pub(super) struct Supervisor {
    stop: CancellationToken,
    status: watch::Receiver<Status>,
    task: Option<JoinHandle<Result<(), StopError>>>,
    pgdata: PathBuf,
}

impl Supervisor {
    /// Takes charge of a running server.
    pub(super) fn spawn(setup: Setup, server: Server) -> Self {
        let stop = CancellationToken::new();
        let (sender, status) = watch::channel(Status::Running { pid: server.pid() });
        let pgdata = setup.layout.pgdata.clone();
        let task = tokio::spawn(watch_over(setup, server, stop.clone(), sender));
        Self { stop, status, task: Some(task), pgdata }
    }

    /// Follows the server's state.
    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Stops the server and waits until it is gone.
    pub(super) async fn stop(mut self) -> Result<(), StopError> {
        self.stop.cancel();
        match self.task.take() {
            Some(task) => task.await.map_err(StopError::Watcher)?,
            None => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    /// Asks the server to leave, for a caller that panicked or forgot: the runtime may be gone already, so this
    /// can neither wait nor leave it to the task.
    fn drop(&mut self) {
        if self.task.is_none() {
            return;
        }
        self.stop.cancel();
        if let Status::Running { pid } = *self.status.borrow()
            && identify(pid, &self.pgdata) == Identity::Ours
        {
            signal(pid, Signal::INT);
        }
    }
}

async fn watch_over(
    setup: Setup,
    mut server: Server,
    stop: CancellationToken,
    status: watch::Sender<Status>,
) -> Result<(), StopError> {
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                let result = server.shut_down().await;
                status.send_replace(Status::Stopped);
                return result;
            }
            how = server.exited() => {
                status.send_replace(Status::Restarting);
                tracing::warn!(pid = server.pid(), how, "postgres died, starting it again");
            }
        }
        let restarted = tokio::select! {
            () = stop.cancelled() => None,
            restarted = restart(&setup) => Some(restarted),
        };
        match restarted {
            Some(restarted) => server = restarted,
            None => {
                // A start given up halfway was told to leave; it is this process's business to see it go.
                if let Ok(Some(file)) = PidFile::read(&setup.layout.pgdata) {
                    gone(file.pid, &setup.layout.pgdata).await;
                }
                status.send_replace(Status::Stopped);
                return Ok(());
            }
        }
        tracing::info!(pid = server.pid(), "postgres runs again");
        status.send_replace(Status::Running { pid: server.pid() });
    }
}

/// Starts the server until it works: what stands in the way (a full disk, say) may pass, and the service waits.
async fn restart(setup: &Setup) -> Server {
    loop {
        match launch(setup).await {
            Ok(server) => return server,
            Err(error) => {
                tracing::error!(%error, "postgres could not be started again");
                tokio::time::sleep(RESTART_PAUSE).await;
            }
        }
    }
}
