//! `hornbook engine` with the real model, started and ended as a user would.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::environment;
use crate::service::said;

/// A running engine; killed when dropped.
pub struct EngineProcess {
    /// Where it listens.
    pub url: String,
    /// A client without a key.
    pub http: reqwest::Client,
    child: Child,
}

impl EngineProcess {
    /// Starts an engine on a free port and waits until it listens; `arguments` come last.
    pub async fn start(arguments: &[&str], paths: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(environment::binary());
        command.args(["engine", "--model"]).arg(environment::model()).args(arguments);
        for (flag, path) in paths {
            command.arg(flag).arg(path);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("starting an engine");
        let url = said(&mut child, "listening on ").await;
        Self { url, http: reqwest::Client::new(), child }
    }

    /// Name of the model that it serves: the file's.
    pub fn model() -> String {
        let stem = environment::model().file_stem().expect("a name").to_owned();
        stem.into_string().expect("UTF-8")
    }

    /// POST of a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        request.send().await.expect("an answer")
    }

    /// The value of an unlabelled metric.
    pub async fn metric(&self, name: &str) -> u64 {
        let answer = self.http.get(format!("{}/metrics", self.url)).send().await;
        let text = answer.expect("asking").text().await.expect("metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        let id = self.child.id().expect("the engine runs");
        let pid = Pid::from_raw(i32::try_from(id).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::TERM).expect("asking the engine to stop");
    }

    /// Waits until it is gone and returns its exit code.
    pub async fn wait(&mut self) -> Option<i32> {
        self.child.wait().await.expect("waiting for the engine").code()
    }
}
