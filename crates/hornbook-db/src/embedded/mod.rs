//! A private, real Postgres inside Hornbook's data directory.
//!
//! With no `DATABASE_URL` the service runs Postgres itself, from whatever server binaries the machine has. The
//! server listens on a unix socket only, in a directory that nobody else may enter, and lives in a process group
//! of its own, so that Ctrl-C in a terminal reaches Hornbook and not the database under it.
//!
//! The story, file by file: `lock` keeps two services apart, `paths` makes the directories, `locate` finds
//! binaries, `init` makes the cluster, `adopt` recognises a server that outlived a killed service, `launch`
//! starts one, `supervise` starts it again after a crash and stops it at the end, `connect` opens the door.
//!
//! ```text
//! DATA_DIR/lock                   held by the one service that owns the directory
//! DATA_DIR/postgres/server.lock   held by the server's processes, as long as one of them lives
//! DATA_DIR/postgres/cluster/data  PGDATA, owned by the server's user
//! DATA_DIR/postgres/run/          the socket, unless its path would be too long
//! DATA_DIR/postgres/socket-dir    then: where the socket is instead
//! DATA_DIR/postgres/log           what the server says
//! ```

mod adopt;
mod attach;
mod connect;
mod error;
mod init;
mod launch;
mod locate;
mod lock;
mod paths;
mod pid_file;
mod supervise;
mod user;

use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

pub use self::attach::attach;
pub use self::error::{StartError, StopError};
pub use self::locate::Search;
pub use self::supervise::Status;
pub use self::user::ServerUser;

use self::launch::Setup;
use self::supervise::Supervisor;

/// What the embedded server needs to be told; nothing is taken from the environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// Hornbook's data directory; made when it does not exist.
    pub data_dir: PathBuf,
    /// Where to look for the server's binaries.
    pub search: Search,
    /// The user that the server runs as.
    pub user: ServerUser,
    /// `XDG_RUNTIME_DIR`, for the socket when the data directory's path is too long for one.
    pub runtime_dir: Option<PathBuf>,
}

impl Config {
    /// Settings for `data_dir` with the binaries that the system's package manager installs, run by this
    /// process's own user (as root: by `postgres`, else by uid 65534).
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            search: Search::default(),
            user: ServerUser::current(),
            runtime_dir: None,
        }
    }
}

/// A running embedded Postgres, watched and restarted until it is stopped.
///
/// Dropping it without [`Postgres::stop`] asks the server for a fast shutdown and does not wait for it.
#[derive(Debug)]
pub struct Postgres {
    supervisor: Supervisor,
    setup: Setup,
    /// Released last, when the server is gone.
    _lock: lock::DataDirLock,
}

impl Postgres {
    /// Starts the server of a data directory, or adopts the one that a killed service left running.
    ///
    /// The first start makes the cluster and the database `hornbook`. Returns when the database answers.
    ///
    /// # Errors
    /// Every reason why there is no database is a [`StartError`] that says what to do about it.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let data_dir = paths::make_data_dir(&config.data_dir, config.user)?;
        let lock = lock::DataDirLock::take(&data_dir)?;
        let layout = paths::Layout::new(&data_dir);
        let user = paths::make_home(&layout, config.user)?;
        let wanted_major = init::cluster_major(&layout)?;
        let binaries = locate::locate(
            &config.search,
            user,
            wanted_major.map(|major| (major, layout.pgdata.as_path())),
        )
        .await?;
        let socket_dir = paths::make_socket_dir(&layout, user, config.runtime_dir.as_deref())?;
        let setup = Setup { binaries, layout, user, socket_dir };
        let server = match adopt::adopt(&setup).await? {
            Some(adopted) => adopted,
            None => {
                if wanted_major.is_none() {
                    init::init(&setup).await?;
                }
                launch::launch(&setup).await?
            }
        };
        // Watched from here on, so that a failure below stops what was started.
        let supervisor = Supervisor::spawn(setup.clone(), server);
        connect::ensure_database(&setup.socket_dir).await?;
        Ok(Self { supervisor, setup, _lock: lock })
    }

    /// How to connect: the same for as long as this value lives, restarts included.
    pub fn options(&self) -> PgConnectOptions {
        connect::options(&self.setup.socket_dir, connect::DATABASE)
    }

    /// The postmaster's process id, or `None` while it is being restarted.
    pub fn pid(&self) -> Option<u32> {
        match *self.supervisor.status().borrow() {
            Status::Running { pid } => Some(pid),
            Status::Restarting | Status::Stopped => None,
        }
    }

    /// Follows the server's state; a receiver of its own for each caller.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.supervisor.status()
    }

    /// The directory that holds the unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.setup.socket_dir
    }

    /// Stops the server with a fast shutdown and waits until it is gone.
    ///
    /// # Errors
    /// [`StopError`] when the server is still there after a fast and an immediate shutdown.
    pub async fn stop(self) -> Result<(), StopError> {
        self.supervisor.stop().await
    }
}
