//! Connects to the embedded server of another process, without starting or stopping it.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;

use super::connect;
use super::error::StartError;
use super::paths::Layout;
use super::pid_file::{Identity, PidFile, ServerState, identify};

/// How long a server that is starting, or being restarted, is waited for.
const ATTACH_LIMIT: Duration = Duration::from_secs(15);
/// The pause between two looks.
const ATTACH_PAUSE: Duration = Duration::from_millis(100);

/// Options for the server that already runs in `data_dir`; this process never starts or stops it.
///
/// The options stay right when the service that owns the server restarts it.
///
/// # Errors
/// [`StartError::NotRunning`] when nothing runs there.
pub async fn attach(data_dir: &Path) -> Result<PgConnectOptions, StartError> {
    let real = data_dir.canonicalize().map_err(StartError::file("resolve", data_dir))?;
    let layout = Layout::new(&real);
    let deadline = Instant::now() + ATTACH_LIMIT;
    loop {
        let file = PidFile::read(&layout.pgdata)
            .map_err(StartError::file("read the pid file in", &layout.pgdata))?;
        let running = file.filter(|file| match identify(file.pid, &layout.pgdata) {
            Identity::Ours | Identity::Unknown => true,
            Identity::Foreign | Identity::Gone => false,
        });
        let Some(file) = running else {
            return Err(StartError::NotRunning { path: data_dir.to_path_buf() });
        };
        if let (Some(ServerState::Ready), Some(socket_dir)) = (file.state, file.socket_dir) {
            connect::check_database(&socket_dir).await?;
            return Ok(connect::options(&socket_dir, connect::DATABASE));
        }
        if Instant::now() >= deadline {
            return Err(StartError::NotReady { seconds: ATTACH_LIMIT.as_secs(), log: layout.log });
        }
        tokio::time::sleep(ATTACH_PAUSE).await;
    }
}
