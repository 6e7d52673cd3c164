//! Starts the server and waits until it is ready, with patience for the remains of a killed one.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::adopt::signal;
use super::connect::{PORT, SOCKET_FILE, SOCKET_LOCK_FILE};
use super::error::StartError;
use super::init::tail;
use super::locate::Binaries;
use super::lock::take_server_lock;
use super::paths::Layout;
use super::pid_file::{Identity, PidFile, ServerState, identify};
use super::supervise::Server;
use super::user::ServerUser;

/// How long the remains of a killed server may stand in the way.
const REMAINS_LIMIT: Duration = Duration::from_secs(15);
/// The pause between two tries.
const REMAINS_PAUSE: Duration = Duration::from_millis(250);
/// How long a start may take, crash recovery included; ending a recovery early would only begin it anew.
const READY_LIMIT: Duration = Duration::from_secs(600);
/// The pause between two looks at a starting server.
const READY_PAUSE: Duration = Duration::from_millis(20);
/// A log longer than this is put aside at the next start, in bytes.
const LOG_MAX_BYTES: u64 = 16 << 20;
/// How much of the log goes into an error, in bytes.
const LOG_TAIL_BYTES: usize = 2_048;

/// What Postgres says when an earlier server's remains stand in the way.
const REMAINS: [&str; 3] = [
    "lock file \"postmaster.pid\" already exists",
    ".s.PGSQL.5432.lock\" already exists",
    "is still in use",
];

/// The server's settings. fsync stays on: documents that were paid for must survive a power cut.
const SETTINGS: [&str; 14] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "max_connections=100",
    "shared_buffers=128MB",
    "max_wal_size=1GB",
    // Containers often have 64 MB of shared memory, which parallel queries overrun; no query here needs them.
    "max_parallel_workers_per_gather=0",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_line_prefix=%m [%p] ",
    "log_checkpoints=off",
    "logging_collector=off",
];

/// Everything that a start and every restart needs.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) binaries: Binaries,
    pub(super) layout: Layout,
    pub(super) user: ServerUser,
    pub(super) socket_dir: PathBuf,
}

/// Starts the server; tries again for about 15 s while a killed server's remains refuse it.
pub(super) async fn launch(setup: &Setup) -> Result<Server, StartError> {
    let deadline = Instant::now() + REMAINS_LIMIT;
    loop {
        let late = Instant::now() >= deadline;
        match take_server_lock(&setup.layout.server_lock)? {
            Some(lock) => match try_launch(setup, lock).await {
                Err(StartError::Exited { log })
                    if !late && REMAINS.iter().any(|text| log.contains(text)) =>
                {
                    tracing::info!(
                        "the remains of an earlier postgres are in the way, trying again"
                    );
                }
                other => return other,
            },
            None if late => {
                return Err(StartError::StillInUse {
                    path: setup.layout.pgdata.clone(),
                    seconds: REMAINS_LIMIT.as_secs(),
                });
            }
            None => {}
        }
        tokio::time::sleep(REMAINS_PAUSE).await;
    }
}

async fn try_launch(setup: &Setup, lock: File) -> Result<Server, StartError> {
    clear_stale_files(setup)?;
    let (log, log_start) = open_log(&setup.layout.log)?;
    let program = setup.binaries.dir.join("postgres");
    let mut command = Command::new(&program);
    setup.user.apply(&mut command);
    command
        .arg("-D")
        .arg(&setup.layout.pgdata)
        .arg("-p")
        .arg(PORT.to_string())
        .arg("-c")
        .arg(socket_setting(&setup.socket_dir));
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
        // Not for reading: whoever has it open holds the lock (see lock.rs).
        .stdin(Stdio::from(lock))
        .stdout(Stdio::from(log.try_clone().map_err(StartError::file("open", &setup.layout.log))?))
        .stderr(Stdio::from(log))
        // A terminal sends Ctrl-C to its foreground process group, and a shell a hang-up to its jobs: in a group of
        // its own the server gets neither. A session of its own (setsid) would add nothing to that, and only
        // unsafe code could make one here.
        .process_group(0)
        .kill_on_drop(false);
    let child = command.spawn().map_err(StartError::file("run", &program))?;
    drop(command);
    await_ready(setup, child, log_start).await
}

/// Waits until the child says `ready` in its pid file or ends.
async fn await_ready(setup: &Setup, child: Child, log_start: u64) -> Result<Server, StartError> {
    let pid = child.id().unwrap_or_default();
    let mut guard = Guard { child: Some(child), pid };
    let deadline = Instant::now() + READY_LIMIT;
    while Instant::now() < deadline {
        if let Some(child) = &mut guard.child
            && child
                .try_wait()
                .map_err(StartError::file("wait for", &setup.layout.pgdata))?
                .is_some()
        {
            guard.child = None;
            return Err(StartError::Exited { log: log_since(&setup.layout.log, log_start) });
        }
        // A file that cannot be read now is read at the next look.
        if let Ok(Some(file)) = PidFile::read(&setup.layout.pgdata)
            && file.pid == pid
            && file.state == Some(ServerState::Ready)
            && let Some(child) = guard.child.take()
        {
            return Ok(Server::Child { child, pid });
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    Err(StartError::NotReady { seconds: READY_LIMIT.as_secs(), log: setup.layout.log.clone() })
}

/// Stops a half-started server when its start is given up.
struct Guard {
    child: Option<Child>,
    pid: u32,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.child.is_some() {
            signal(self.pid, Signal::INT);
        }
    }
}

/// Removes the pid and socket files of a server that is gone.
///
/// The caller holds the server lock, so no process of a server that was started here is left. Postgres itself
/// refuses to start while the number in its pid file belongs to any living process of its user, so a number that now
/// belongs to another program must be taken out of its way; the program is recognised by its executable.
fn clear_stale_files(setup: &Setup) -> Result<(), StartError> {
    let pgdata = &setup.layout.pgdata;
    let pid_file = pgdata.join("postmaster.pid");
    let file = PidFile::read(pgdata).map_err(StartError::file("read", &pid_file))?;
    match file.map(|file| (file.pid, identify(file.pid, pgdata))) {
        Some((_, Identity::Ours | Identity::Unknown)) => return Ok(()),
        Some((pid, identity @ (Identity::Foreign | Identity::Gone))) => {
            tracing::info!(pid, ?identity, "removing the pid file of a postgres that is gone");
        }
        None => {}
    }
    for path in
        [pid_file, setup.socket_dir.join(SOCKET_LOCK_FILE), setup.socket_dir.join(SOCKET_FILE)]
    {
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StartError::file("remove", &path)(error)),
        }
    }
    Ok(())
}

/// `unix_socket_directories` is a list: one quoted element keeps commas and spaces in a path harmless.
fn socket_setting(dir: &Path) -> std::ffi::OsString {
    let quoted = dir.to_string_lossy().replace('"', "\"\"");
    format!("unix_socket_directories=\"{quoted}\"").into()
}

/// Opens the log for appending and returns where this start's lines begin.
fn open_log(path: &Path) -> Result<(File, u64), StartError> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_MAX_BYTES) {
        fs::rename(path, path.with_extension("old")).map_err(StartError::file("rename", path))?;
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(StartError::file("open", path))?;
    let start = file.metadata().map_err(StartError::file("look at", path))?.len();
    Ok((file, start))
}

fn log_since(path: &Path, start: u64) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(start))?;
        file.take(LOG_MAX_BYTES).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => tail(String::from_utf8_lossy(&bytes).trim(), LOG_TAIL_BYTES).to_owned(),
        Err(error) => format!("its log could not be read: {error}"),
    }
}
