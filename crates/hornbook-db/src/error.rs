//! What can go wrong, sorted by what a caller can do about it.

use hornbook_types::{JobAction, JobState};

/// Why a statement did not do what was asked.
///
/// Messages name codes, tables and constraints, never values: a value may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// There is no such thing; the word says what.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// It is there, but not as the caller expected it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The key's quota does not allow it.
    #[error(transparent)]
    Quota(#[from] QuotaExceeded),
    /// The lease is held no longer; drop what was done under it.
    #[error("lease lost")]
    Fenced,
    /// The database refuses these values and will refuse them again.
    #[error("bad data: {0}")]
    BadData(String),
    /// The database cannot be reached or is out of something; try again later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// A fault of this program or of the database's schema.
    #[error("database error: {0}")]
    Other(String),
}

/// How a thing differs from what the caller expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The job's state does not allow this action.
    #[error("a job that is {} does not allow {}", found.as_str(), action.as_str())]
    State {
        /// Where the job stands.
        found: JobState,
        /// What was asked.
        action: JobAction,
    },
    /// The job is not in a state in which this can happen.
    #[error("the job is {}", found.as_str())]
    Unready {
        /// Where the job stands.
        found: JobState,
    },
    /// The job has used up its budget, so it cannot go on before that is raised.
    #[error("the job has used up its budget; raise it first")]
    BudgetSpent {
        /// Where the job stands.
        found: JobState,
    },
    /// The version that the caller knew is not the latest.
    #[error("stale version; the latest is {latest}")]
    Stale {
        /// The latest version.
        latest: u32,
    },
    /// There are versions already, and the caller did not say which one it knew.
    #[error("name the latest version, {latest}, to replace it")]
    VersionNeeded {
        /// The latest version.
        latest: u32,
    },
    /// A thing of that name or id exists.
    #[error("exists already")]
    Exists,
    /// Unended jobs need it.
    #[error("is in use by a job")]
    InUse,
}

/// A quota that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key's quota of {limit} {} does not allow it; {used} are used", quota.as_str())]
pub struct QuotaExceeded {
    /// Which one.
    pub quota: Quota,
    /// What the key allows.
    pub limit: u64,
    /// What is used of it.
    pub used: u64,
    /// When there will be room again, in seconds; `None` when time alone does not help.
    pub retry_after_seconds: Option<u64>,
}

/// What a key's submissions are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Jobs that have not ended.
    RunningJobs,
    /// Prompts of the jobs submitted on one UTC day.
    PromptsPerDay,
}

impl Quota {
    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunningJobs => "running_jobs",
            Self::PromptsPerDay => "prompts_per_day",
        }
    }
}

impl DbError {
    /// True when the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// `NotFound` when a statement that names one row found none.
    pub(crate) fn expect_one(rows: u64, what: &'static str) -> Result<(), Self> {
        match rows {
            1 => Ok(()),
            0 => Err(Self::NotFound(what)),
            _ => Err(Self::Other(format!("more than one {what}"))),
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(inner) => from_server(inner.as_ref()),
            E::RowNotFound => Self::NotFound("row"),
            E::Io(io) => Self::Unavailable(format!("connection lost ({})", io.kind())),
            E::PoolTimedOut => Self::Unavailable("no free connection in time".to_owned()),
            E::PoolClosed => Self::Unavailable("shutting down".to_owned()),
            E::WorkerCrashed => Self::Unavailable("connection worker crashed".to_owned()),
            E::Tls(_) => Self::Unavailable("tls handshake failed".to_owned()),
            E::Protocol(_) => Self::Unavailable("connection out of step".to_owned()),
            E::Configuration(_) => Self::Other("bad connection settings".to_owned()),
            E::ColumnDecode { index, .. } => Self::Other(format!("cannot read column {index}")),
            E::ColumnNotFound(name) => Self::Other(format!("no column {name}")),
            E::Decode(_) => Self::Other("cannot read a value".to_owned()),
            E::Encode(_) => Self::BadData("a value cannot be sent".to_owned()),
            _ => Self::Other("unexpected client error".to_owned()),
        }
    }
}

/// Sorts an error of the server by its SQLSTATE.
fn from_server(error: &dyn sqlx::error::DatabaseError) -> DbError {
    let code = error.code().unwrap_or_default().into_owned();
    let place = match (error.table(), error.constraint()) {
        (_, Some(constraint)) => format!(" ({constraint})"),
        (Some(table), None) => format!(" ({table})"),
        (None, None) => String::new(),
    };
    match code.as_str() {
        "53100" => DbError::Unavailable("disk full".to_owned()),
        "53300" => DbError::Unavailable("too many connections".to_owned()),
        // Shutdown, crash recovery, lost connections, exhausted resources, lost races.
        "57P01" | "57P02" | "57P03" | "57P05" | "40001" | "40P01" | "55P03" => {
            DbError::Unavailable(format!("sqlstate {code}"))
        }
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("58") => {
            DbError::Unavailable(format!("sqlstate {code}"))
        }
        "22021" | "22P05" => DbError::BadData("holds U+0000, which text cannot".to_owned()),
        "22P02" | "22032" => DbError::BadData("invalid json or number".to_owned()),
        "23505" => DbError::Conflict(Conflict::Exists),
        _ if code.starts_with("22") || code.starts_with("23") || code.starts_with("54") => {
            DbError::BadData(format!("sqlstate {code}{place}"))
        }
        // These name what the statement named; they hold no values.
        _ if code.starts_with("42") => DbError::Other(format!("{code}: {}", error.message())),
        _ => DbError::Other(format!("sqlstate {code}{place}")),
    }
}

impl From<sqlx::migrate::MigrateError> for DbError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError as E;
        match error {
            E::Execute(inner) | E::ExecuteMigration(inner, _) => inner.into(),
            E::VersionMissing(version) => Self::Other(format!(
                "the database has migration {version}, which this build does not know; use a newer build"
            )),
            E::VersionMismatch(version) => Self::Other(format!(
                "migration {version} in the database differs from this build's"
            )),
            other => Self::Other(format!("migration failed: {other}")),
        }
    }
}
