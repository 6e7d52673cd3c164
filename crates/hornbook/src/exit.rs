//! How a command ends: its exit code and the one line that says why.

use std::fmt;

/// Exit codes of the command line, as documented in docs/CLI.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Something went wrong that has no code of its own.
    Error = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The named thing does not exist.
    NotFound = 3,
    /// The key is missing, wrong or lacks a scope.
    NotAllowed = 4,
    /// The job failed.
    JobFailed = 5,
    /// The corpus is partial, or some prompts failed.
    Partial = 6,
    /// The service asks to come back later (`EX_TEMPFAIL`).
    Throttled = 75,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The process's exit code.
    pub(crate) code: Code,
    /// One or more lines for people; never holds a secret.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with a code of its own.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A failure without a code of its own.
    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(Code::Error, message)
    }

    /// A wrong command line or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

/// Says what was being done when something failed.
pub(crate) trait Context<T> {
    /// Turns any error into a failure that begins with `doing`.
    fn context(self, doing: &str) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::error(format!("{doing}: {error}")))
    }
}

/// What every command returns.
pub(crate) type Outcome = Result<(), Failure>;
