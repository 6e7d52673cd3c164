//! The process's environment; this file alone reads it.
//!
//! Settings that are also flags are read by clap (`env = ..` in cli.rs); what
//! follows has no flag, because a flag would be wrong or would show a secret.

use std::path::PathBuf;

use crate::exit::Failure;

/// What the environment says.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    /// `DATABASE_URL`, or what the file named by `DATABASE_URL_FILE` holds: use this database and
    /// start none. May hold a password.
    pub(crate) database_url: Option<String>,
    /// `HORNBOOK_KEY`: the API key for client commands.
    pub(crate) key: Option<String>,
    /// `HF_TOKEN`: token for the Hugging Face Hub.
    pub(crate) hub_token: Option<String>,
    /// `XDG_DATA_HOME`, else `HOME` + `.local/share`.
    pub(crate) data_home: Option<PathBuf>,
    /// `PATH`, for finding the server binaries of Postgres.
    pub(crate) path: Option<std::ffi::OsString>,
    /// `XDG_RUNTIME_DIR`, for a socket whose path would be too long elsewhere.
    pub(crate) runtime_dir: Option<PathBuf>,
    /// `HORNBOOK_LOG`: filter of log lines. Default `info`.
    pub(crate) log: Option<String>,
    /// `HORNBOOK_LOG_FORMAT`: `text` (default) or `json`.
    pub(crate) log_format: Option<String>,
}

impl Environment {
    /// Reads it, once, at start.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    ///
    /// # Errors
    /// When a file that holds a setting cannot be read: going on without it would start a private
    /// database where the operator meant a shared one.
    pub(crate) fn read() -> Result<Self, Failure> {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = path("HOME").map(PathBuf::from);
        // A file keeps the password out of the process's environment (compose passes it so).
        let database_url = match (text("DATABASE_URL"), text("DATABASE_URL_FILE")) {
            (None, Some(file)) => Some(read_database_url(&file)?),
            (url, _) => url,
        };
        Ok(Self {
            database_url,
            key: text("HORNBOOK_KEY"),
            hub_token: text("HF_TOKEN"),
            data_home: path("XDG_DATA_HOME")
                .map(PathBuf::from)
                .or_else(|| home.map(|home| home.join(".local").join("share"))),
            path: path("PATH"),
            runtime_dir: path("XDG_RUNTIME_DIR").map(PathBuf::from),
            log: text("HORNBOOK_LOG"),
            log_format: text("HORNBOOK_LOG_FORMAT"),
        })
    }
}

fn read_database_url(file: &str) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("DATABASE_URL_FILE: reading {file}: {error}")))?;
    match text.trim() {
        "" => Err(Failure::usage(format!("DATABASE_URL_FILE: {file} is empty"))),
        url => Ok(url.to_owned()),
    }
}
