//! A service of its own, with a private Postgres and an empty data directory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Outcome, shell};

use super::process;
use super::setting::Setting;

/// Services started so far: each has a directory of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running service; dropping it ends it and removes its directory.
pub(crate) struct Service {
    child: Child,
    data_dir: PathBuf,
    /// Host and port.
    pub(crate) address: String,
}

impl Service {
    /// Starts `hornbook serve` on the measured cores and waits until it listens; its engine is loaded by then.
    pub(crate) fn start(setting: &Setting<'_>) -> Outcome<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // Postgres may run as another user, who could not enter a home directory.
        let data_dir =
            std::env::temp_dir().join(format!("hornbook-bench-{}-{number}", std::process::id()));
        let log = File::create(setting.dir.join("hornbook.log"))
            .map_err(|error| format!("could not make a log: {error}"))?;
        let child = process::pinned(&setting.cores, &setting.hornbook)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data_dir)
            .arg("--model")
            .arg(&setting.model)
            .current_dir(&setting.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("could not start the service: {error}"))?;
        let mut service = Self { child, data_dir, address: String::new() };
        let stdout = service.child.stdout.take();
        let mut lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
        let address = lines.find_map(|line| {
            line.ok()?.strip_prefix("listening on http://").map(|address| address.trim().to_owned())
        });
        let log = setting.dir.join("hornbook.log");
        service.address = address.ok_or_else(|| {
            format!("the service did not start: {}", fs::read_to_string(log).unwrap_or_default())
        })?;
        Ok(service)
    }

    /// CPU seconds of the service and its Postgres so far.
    pub(crate) fn cpu_s(&self) -> f64 {
        process::tree_cpu_s(self.child.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A stop with a drain, so that its Postgres ends with it.
        let stopped = shell::run(Command::new("kill").arg(self.child.id().to_string()));
        if stopped.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.data_dir);
    }
}
