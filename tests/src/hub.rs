//! The usual clients of the Hub, kept to themselves: caches of their own, and no way off this machine.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::python::script;
use crate::service::said;

/// Longest that all scenarios of one process may take.
const WITHIN: Duration = Duration::from_secs(300);
/// Where nobody listens; what asks for another machine goes there and fails.
const NOWHERE: &str = "http://127.0.0.1:9";

/// One user's home, with one set of clients.
pub struct HubClient {
    python: PathBuf,
    home: TempDir,
    token: Option<String>,
}

impl HubClient {
    /// A user without caches, whose clients are those of `python`.
    pub fn new(python: PathBuf) -> Self {
        Self { python, home: tempfile::tempdir().expect("a directory"), token: None }
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Where its clients keep what they have.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs scenarios of `hub_client.py` against a dataset and returns what they found.
    pub async fn run(&self, endpoint: &str, repo: &str, scenarios: &str) -> Value {
        let given =
            json!({"endpoint": endpoint, "repo": repo, "out": self.home(), "token": self.token});
        let scenarios: Vec<&str> = scenarios.split_whitespace().collect();
        self.script("hub_client.py", &scenarios, &given).await
    }

    /// Runs a script of `tests/python` and returns the JSON that it prints.
    pub async fn script(&self, name: &str, arguments: &[&str], given: &Value) -> Value {
        let mut client = self
            .command()
            .arg(script(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starting the client");
        let mut stdin = client.stdin.take().expect("a pipe");
        stdin.write_all(given.to_string().as_bytes()).await.expect("handing over");
        drop(stdin);
        let done = tokio::time::timeout(WITHIN, client.wait_with_output()).await;
        let done = done.expect("the client ends").expect("running the client");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let notes = std::fs::read_to_string(self.home().join("notes")).unwrap_or_default();
        assert_eq!(notes, "", "a client wanted to reach another machine");
        serde_json::from_slice(&done.stdout).expect("the client's findings")
    }

    fn command(&self) -> Command {
        let home = self.home();
        let mut command = Command::new(&self.python);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home)
            .env("HF_HOME", home.join("hf"))
            .env("PYTHONPATH", script("hub_guard"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HUB_GUARD_NOTES", home.join("notes"))
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
            .env("HF_HUB_DISABLE_UPDATE_CHECK", "1")
            .env("DO_NOT_TRACK", "1")
            // For what does not use Python's sockets.
            .env("HTTP_PROXY", NOWHERE)
            .env("HTTPS_PROXY", NOWHERE)
            .env("http_proxy", NOWHERE)
            .env("https_proxy", NOWHERE)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .kill_on_drop(true);
        command
    }
}

/// A stand-in for the Hub that repositories can be pushed to; killed when dropped.
pub struct HubStandIn {
    /// Where it listens.
    pub url: String,
    http: reqwest::Client,
    _child: Child,
}

impl HubStandIn {
    /// The one token that it takes.
    pub const TOKEN: &str = "hf_stand_in";

    /// Starts one that takes files over `part_bytes` in parts.
    pub async fn start(part_bytes: u64) -> Self {
        let mut child = Command::new(crate::environment::python())
            .arg(script("hub_stand_in.py"))
            .args(["--part-bytes", &part_bytes.to_string()])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("starting the stand-in");
        let url = said(&mut child, "listening on ").await;
        Self { url, http: reqwest::Client::new(), _child: child }
    }

    /// Its repositories and what was asked of it.
    pub async fn state(&self) -> Value {
        let asked = self.http.get(format!("{}/_state", self.url)).send().await;
        asked.expect("an answer").json().await.expect("JSON")
    }

    /// Makes the next uploads fail as told.
    pub async fn misbehave(&self, faults: &Value) {
        let told = self.http.post(format!("{}/_faults", self.url)).json(faults).send().await;
        assert!(told.expect("an answer").status().is_success());
    }
}
