//! The way in: the unix socket, and the database `hornbook` behind it.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::error::StartError;

/// The cluster's only user.
pub(super) const SUPERUSER: &str = "hornbook";
/// The database that Hornbook lives in.
pub(super) const DATABASE: &str = "hornbook";
/// The database that every cluster is made with.
const MAINTENANCE_DATABASE: &str = "postgres";
/// The port, which on a unix socket is only a part of the file's name.
pub(super) const PORT: u16 = 5432;
/// The socket's file name for that port.
pub(super) const SOCKET_FILE: &str = ".s.PGSQL.5432";
/// The lock file that Postgres keeps beside the socket.
pub(super) const SOCKET_LOCK_FILE: &str = ".s.PGSQL.5432.lock";
/// How often a server that says it is not ready yet is asked again.
const CONNECT_TRIES_MAX: u32 = 600;
/// The pause between two of those tries.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Options for a database behind the socket in `socket_dir`.
pub(super) fn options(socket_dir: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(PORT)
        .username(SUPERUSER)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// Whether a server answers behind the socket, whatever it says.
pub(super) async fn answers(socket_dir: &Path) -> bool {
    match options(socket_dir, MAINTENANCE_DATABASE).connect().await {
        Ok(connection) => {
            // The server notices a dropped connection as well as a closed one.
            let _ = connection.close().await;
            true
        }
        Err(error) => error.as_database_error().is_some(),
    }
}

/// Makes the database `hornbook` unless it is there, and so proves that the server answers.
pub(super) async fn ensure_database(socket_dir: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::Connect { socket_dir: socket_dir.to_path_buf(), source };
    match connect(socket_dir, DATABASE).await {
        Ok(connection) => return connection.close().await.map_err(failed),
        Err(error) if sql_state(&error).as_deref() == Some("3D000") => {}
        Err(error) => return Err(failed(error)),
    }
    let mut connection = connect(socket_dir, MAINTENANCE_DATABASE).await.map_err(failed)?;
    sqlx::raw_sql("CREATE DATABASE hornbook").execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// Proves that the database `hornbook` answers.
pub(super) async fn check_database(socket_dir: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::Connect { socket_dir: socket_dir.to_path_buf(), source };
    let connection = connect(socket_dir, DATABASE).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// Connects, with patience for a server that is starting up or recovering.
async fn connect(socket_dir: &Path, database: &str) -> Result<PgConnection, sqlx::Error> {
    let options = options(socket_dir, database);
    let mut tries = 1;
    loop {
        match options.connect().await {
            // 57P03 is cannot_connect_now.
            Err(error)
                if sql_state(&error).as_deref() == Some("57P03") && tries < CONNECT_TRIES_MAX =>
            {
                tries += 1;
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
            other => return other,
        }
    }
}

fn sql_state(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
