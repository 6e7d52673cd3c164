//! The command line, run as a user would.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::environment;

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Ran {
    /// The same, when the exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The one JSON value that it printed.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }
}

/// The command line with its settings.
#[derive(Clone, Default)]
pub struct Cli {
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Cli {
    /// Commands that talk to the service at `url`.
    pub fn at(url: &str) -> Self {
        Self { arguments: vec!["--url".into(), url.into()], ..Self::default() }
    }

    /// Commands with one more variable in their environment.
    #[must_use]
    pub fn with(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((variable.into(), value.as_ref().to_owned()));
        self
    }

    /// Commands that show the key in `file`.
    #[must_use]
    pub fn key_file(mut self, file: &Path) -> Self {
        self.arguments.extend(["--key-file".into(), file.into()]);
        self
    }

    /// Runs `hornbook` with these arguments, separated by blanks, and then `paths`.
    pub async fn run(&self, arguments: &str, paths: &[&Path]) -> Ran {
        let output = Command::new(environment::binary())
            .args(&self.arguments)
            .args(arguments.split_whitespace())
            .args(paths)
            .env_remove("DATABASE_URL")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("running hornbook");
        Ran {
            code: output.status.code().expect("an exit code"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
