//! A service of its own, with a private Postgres and an empty data directory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Outcome, shell};

use super::process;
use super::setting::Setting;

/// Services started so far: each has a directory of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// File with its log.
const LOG: &str = "hornbook.log";

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
        let mut command = process::pinned(&setting.cores, &setting.hornbook);
        command.args(["serve", "--model"]).arg(&setting.model);
        Self::launch(command, &setting.dir)
    }

    /// Starts a service by a command that ends in the arguments of `hornbook serve`; its log goes to `dir`.
    pub(crate) fn launch(mut command: Command, dir: &Path) -> Outcome<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // Postgres may run as another user, who could not enter a home directory.
        let data_dir =
            std::env::temp_dir().join(format!("hornbook-bench-{}-{number}", std::process::id()));
        let child = spawn(&mut command, dir, &data_dir)?;
        let mut service = Self { child, data_dir, address: String::new() };
        service.until_heard(dir)?;
        Ok(service)
    }

    /// Kills it as `kill -9` does, its Postgres not, and starts it again by such a command.
    pub(crate) fn kill_and_launch(&mut self, mut command: Command, dir: &Path) -> Outcome {
        let failed = |error: std::io::Error| format!("could not kill the service: {error}");
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        self.child = spawn(&mut command, dir, &self.data_dir)?;
        self.until_heard(dir)
    }

    /// Waits until it says where it listens.
    fn until_heard(&mut self, dir: &Path) -> Outcome {
        let stdout = self.child.stdout.take();
        let mut lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
        let address = lines.find_map(|line| {
            line.ok()?.strip_prefix("listening on http://").map(|address| address.trim().to_owned())
        });
        let log = dir.join(LOG);
        self.address = address.ok_or_else(|| {
            format!("the service did not start: {}", fs::read_to_string(log).unwrap_or_default())
        })?;
        Ok(())
    }

    /// Process of its private Postgres.
    pub(crate) fn postmaster(&self) -> Outcome<u32> {
        let path = self.data_dir.join("postgres/cluster/data/postmaster.pid");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
        pid.ok_or_else(|| format!("{} tells no process", path.display()))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of the private Postgres' tables and indexes on disk.
    pub(crate) fn table_bytes(&self) -> f64 {
        bytes_below(&self.data_dir.join("postgres/cluster/data/base"))
    }

    /// CPU seconds of the service and its Postgres so far.
    pub(crate) fn cpu_s(&self) -> f64 {
        process::tree_cpu_s(self.child.id())
    }
}

/// Starts a command that ends in the arguments of `hornbook serve`; its log goes to `dir`.
fn spawn(command: &mut Command, dir: &Path, data_dir: &Path) -> Outcome<Child> {
    let log =
        File::create(dir.join(LOG)).map_err(|error| format!("could not make a log: {error}"))?;
    command
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir)
        .env_remove("DATABASE_URL")
        .env_remove("DATABASE_URL_FILE")
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("could not start the service: {error}"))
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

/// Bytes of all files below a directory; what cannot be read counts nothing.
fn bytes_below(dir: &Path) -> f64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len() as f64,
        Err(_) => 0.0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_at_every_depth() {
        let dir = std::env::temp_dir().join(format!("hornbook-bytes-{}", std::process::id()));
        fs::create_dir_all(dir.join("a/b")).expect("a directory");
        fs::write(dir.join("one"), "12345").expect("a file");
        fs::write(dir.join("a/b/two"), "123").expect("a file");
        assert_eq!(bytes_below(&dir), 8.0);
        let _ = fs::remove_dir_all(&dir);
        assert_eq!(bytes_below(&dir), 0.0);
    }
}
