//! Data directories whose servers end with the test, and a service in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use hornbook_db::embedded::{Config, Postgres, Search, attach};
use rustix::process::{Pid, Signal};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

/// How long anything that a test waits for may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A data directory of its own; whatever server runs in it is ended with it, also when the test panics.
pub(crate) struct Place {
    temp: TempDir,
    data_dir: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with_path("data")
    }

    /// A place whose data directory has this path under a directory that everybody may enter.
    pub(crate) fn with_path(path: &str) -> Self {
        let temp = tempfile::tempdir().expect("temporary directory");
        chmod(temp.path(), 0o711);
        let data_dir = temp.path().join(path);
        Self { temp, data_dir }
    }

    pub(crate) fn root(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn pgdata(&self) -> PathBuf {
        self.data_dir.join("postgres/cluster/data")
    }

    pub(crate) fn config(&self) -> Config {
        config(&self.data_dir)
    }

    pub(crate) async fn start(&self) -> Postgres {
        Postgres::start(&self.config()).await.expect("postgres starts")
    }

    /// The number in the pid file.
    pub(crate) fn recorded_pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.pgdata().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(pid) = self.recorded_pid() else { return };
        if is_postgres(pid) {
            send(pid, Signal::QUIT);
            let mut left = PATIENCE;
            while is_postgres(pid) && !left.is_zero() {
                std::thread::sleep(LOOK);
                left = left.saturating_sub(LOOK);
            }
        }
    }
}

/// Settings for a data directory and whatever binaries this machine has.
pub(crate) fn config(data_dir: &Path) -> Config {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's PATH is the machine's, as the binary's would be"
    )]
    let path = std::env::var_os("PATH");
    Config { search: Search { path, ..Search::default() }, ..Config::new(data_dir) }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").mode() & 0o777
}

pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("pid")).expect("pid");
    rustix::process::kill_process(pid, signal).expect("signal");
}

/// Whether a living process with this number runs Postgres.
pub(crate) fn is_postgres(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("postgres"))
}

/// Waits until `done`; a test that waits for ever fails.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let mut left = PATIENCE;
    while !done() {
        assert!(!left.is_zero(), "waited in vain until {what}");
        tokio::time::sleep(LOOK).await;
        left = left.saturating_sub(LOOK);
    }
}

pub(crate) async fn connect(postgres: &Postgres) -> PgConnection {
    postgres.options().connect().await.expect("connection")
}

/// Asks for one text value.
pub(crate) async fn ask(connection: &mut PgConnection, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(connection).await.expect("answer")
}

/// Counts the rows of the table that [`write_row`] fills.
pub(crate) async fn rows(data_dir: &Path) -> i64 {
    let mut connection =
        attach(data_dir).await.expect("attached").connect().await.expect("connection");
    let count = sqlx::query_scalar("SELECT count(*) FROM kept")
        .fetch_one(&mut connection)
        .await
        .expect("count");
    connection.close().await.expect("closed");
    count
}

pub(crate) async fn write_row(connection: &mut PgConnection) {
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)")
        .execute(connection)
        .await
        .expect("row");
}

/// A service in a process (and process group) of its own, which can be killed without its server.
pub(crate) struct Service {
    child: Child,
    /// Kept open, because the test harness in the service fails when it cannot print its summary.
    _stdout: Option<BufReader<ChildStdout>>,
    pub(crate) postmaster: u32,
}

impl Service {
    /// Starts one as this process's own user.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_as(data_dir, Path::new(&std::env::current_exe().expect("own path")), None)
    }

    /// Starts one as another user, from a copy of this program that the user can read.
    pub(crate) fn start_as(data_dir: &Path, program: &Path, uid: Option<u32>) -> Self {
        let mut command = Command::new(program);
        command
            .args(["--exact", "support::service", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .current_dir("/");
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().expect("service process");
        let mut stdin = child.stdin.take().expect("standard input");
        writeln!(stdin, "{}", data_dir.display()).expect("data directory sent");
        let stdout = child.stdout.take().expect("standard output");
        child.stdin = Some(stdin);
        let mut service = Self { child, _stdout: None, postmaster: 0 };
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        while lines.read_line(&mut line).expect("line") > 0 {
            if let Some((_, pid)) = line.split_once("postmaster ") {
                service.postmaster = pid.trim().parse().expect("pid");
                service._stdout = Some(lines);
                return service;
            }
            line.clear();
        }
        panic!("the service ended before its server ran");
    }

    /// Sends a signal to every process of the service's group, as a terminal does.
    pub(crate) fn signal_group(&mut self, signal: Signal) -> ExitStatus {
        let group = Pid::from_child(&self.child);
        rustix::process::kill_process_group(group, signal).expect("signal");
        self.child.wait().expect("status")
    }

    /// Ends the service alone, with no chance to stop its server.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("status");
    }

    /// Lets the service end in good order.
    pub(crate) fn finish(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().expect("status")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already, in a test that passed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service that [`Service`] runs: not a test, but a program that only a test binary can hold.
#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn service() {
    let mut data_dir = String::new();
    std::io::stdin().read_line(&mut data_dir).expect("line");
    if data_dir.trim().is_empty() {
        return;
    }
    let postgres =
        Postgres::start(&config(Path::new(data_dir.trim()))).await.expect("postgres starts");
    println!("postmaster {}", postgres.pid().expect("pid"));
    let mut rest = String::new();
    tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut rest))
        .await
        .expect("task")
        .expect("end of input");
    postgres.stop().await.expect("stopped");
}
