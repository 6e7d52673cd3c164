//! `hornbook worker`, as many as a test likes.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::environment;
use crate::service::said;

/// A worker alone; killed when dropped.
pub struct WorkerProcess {
    child: Child,
}

impl WorkerProcess {
    /// Starts a worker beside the service that owns `data_dir`, and waits until it works.
    ///
    /// `arguments` come after those that every worker has.
    pub async fn start(database_url: &str, data_dir: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(environment::binary());
        command
            .args(["worker", "--no-local-engine", "--data-dir"])
            .arg(data_dir)
            .args(arguments)
            .env("DATABASE_URL", database_url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("starting a worker");
        said(&mut child, "working").await;
        Self { child }
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.start_kill().expect("killing a worker");
        self.child.wait().await.expect("waiting for a worker");
    }

    /// Stops it where it stands (SIGSTOP), as a machine that swaps or a paused container does.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on from there.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the worker runs");
        let pid = Pid::from_raw(i32::try_from(id).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("a signal to the worker");
    }

    /// Asks it to stop (SIGTERM) and returns its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().await.expect("waiting for a worker").code()
    }
}
