//! The real binary, started and ended as a user would.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::database::TestDatabase;
use crate::environment;

/// Longest time for a process to say that it is ready.
const START_SECONDS: u64 = 60;

/// How to start a service.
#[derive(Clone, Default)]
pub struct Options {
    /// `DATABASE_URL`; absent: the service runs its own Postgres in `data_dir`.
    pub database_url: Option<String>,
    /// `--data-dir`; absent: a temporary directory.
    pub data_dir: Option<std::path::PathBuf>,
    /// `--listen`; absent: a free port of 127.0.0.1.
    pub listen: Option<String>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further environment.
    pub environment: Vec<(String, String)>,
    /// File that log lines are added to; absent: the test's own stderr.
    pub log: Option<std::path::PathBuf>,
    /// True gives the service a process group of its own, as a shell gives a job.
    pub own_group: bool,
}

/// A running service; killed when dropped.
pub struct Service {
    /// Where it listens.
    pub url: String,
    /// A client without a key.
    pub http: reqwest::Client,
    options: Options,
    child: Child,
    _directory: Option<tempfile::TempDir>,
}

impl Service {
    /// Starts a service without the local engine on a database of its own.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(Options {
            database_url: Some(database.url.clone()),
            arguments: vec!["--no-local-engine".to_owned()],
            ..Options::default()
        })
        .await
    }

    /// Starts a service and waits until it listens.
    pub async fn start_with(mut options: Options) -> Self {
        let mut directory = None;
        if options.data_dir.is_none() {
            let made = tempfile::tempdir().expect("making a data directory");
            // The embedded Postgres runs as another user and must be able to enter.
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(made.path(), open).expect("opening the data directory");
            options.data_dir = Some(made.path().join("data"));
            directory = Some(made);
        }
        let (child, url) = spawn(&options).await;
        Self { url, http: reqwest::Client::new(), options, child, _directory: directory }
    }

    /// Kills the service as `kill -9` does and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.start_kill().expect("killing the service");
        self.child.wait().await.expect("waiting for the service");
    }

    /// Starts it again after [`Service::kill`], on a new port.
    pub async fn restart(&mut self) {
        let (child, url) = spawn(&self.options).await;
        self.child = child;
        self.url = url;
    }

    /// Asks it to stop (SIGTERM) and returns its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        kill_process(self.pid(), Signal::TERM).expect("asking the service to stop");
        self.child.wait().await.expect("waiting for the service").code()
    }

    /// Interrupts its whole process group, as Ctrl-C in a terminal does, and returns its exit code.
    ///
    /// Only for a service with a group of its own: the test would interrupt itself.
    pub async fn interrupt_group(&mut self) -> Option<i32> {
        assert!(self.options.own_group, "the service shares the test's process group");
        kill_process_group(self.pid(), Signal::INT).expect("interrupting the service");
        self.child.wait().await.expect("waiting for the service").code()
    }

    /// Freezes it (SIGSTOP) and waits until it stands still.
    pub async fn freeze(&self) {
        let pid = self.pid();
        kill_process(pid, Signal::STOP).expect("freezing the service");
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        let frozen =
            |stat: &str| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
        while !frozen(&std::fs::read_to_string(&stat).expect("the service is there")) {
            tokio::task::yield_now().await;
        }
    }

    /// Process id of its private Postgres, from the server's own pid file.
    pub fn postmaster(&self) -> Pid {
        let mut found = None;
        let mut places = vec![self.data_dir().to_owned()];
        while let Some(place) = places.pop() {
            for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
                if entry.file_name() == "postmaster.pid" {
                    found = std::fs::read_to_string(entry.path()).ok();
                } else if entry.path().is_dir() && places.len() < 64 {
                    places.push(entry.path());
                }
            }
        }
        let text = found.expect("Postgres runs");
        let pid = text.lines().next().expect("a pid").parse().expect("a pid");
        Pid::from_raw(pid).expect("a pid")
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        let id = self.child.id().expect("the service runs");
        Pid::from_raw(i32::try_from(id).expect("a pid")).expect("a pid")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &std::path::Path {
        self.options.data_dir.as_deref().expect("set at start")
    }

    /// GET of a JSON value, whatever the status.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    /// POST of a JSON value, whatever the status.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    /// PUT of a JSON value, whatever the status.
    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.http.put(format!("{}{path}", self.url)).json(body)).await
    }

    /// Points an endpoint at a mock server on loopback.
    pub async fn add_endpoint(&self, name: &str, base_url: &str, in_flight: u32) {
        self.add_endpoint_with(name, base_url, &json!({"in_flight": in_flight}), &json!({})).await;
    }

    /// The same with all its limits and options.
    pub async fn add_endpoint_with(
        &self,
        name: &str,
        base_url: &str,
        limits: &Value,
        options: &Value,
    ) {
        let spec = json!({
            "kind": "openai", "base_url": base_url, "model": "mock", "limits": limits, "options": options,
        });
        let (status, answer) = self.put(&format!("/v1/endpoints/{name}"), &spec).await;
        assert!(status == 200 || status == 201, "{status} {answer}");
    }

    /// Submits a job and returns its id.
    pub async fn submit(&self, spec: &Value) -> String {
        let (status, answer) = self.post("/v1/jobs", spec).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until `done` says so of a job; panics with the job after `within`.
    pub async fn wait_for(
        &self,
        job: &str,
        within: Duration,
        done: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let (status, seen) = self.get(&format!("/v1/jobs/{job}")).await;
            if status == 200 && done(&seen) {
                return seen;
            }
            assert!(tokio::time::Instant::now() < deadline, "the job stands still: {seen}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a job ended.
    pub async fn wait_for_end(&self, job: &str, within: Duration) -> Value {
        self.wait_for(job, within, |job| {
            matches!(
                job["state"].as_str(),
                Some("succeeded" | "succeeded_with_errors" | "failed" | "cancelled")
            )
        })
        .await
    }

    /// Every seq of a job's documents, in order; panics on one that comes twice.
    pub async fn seqs(&self, job: &str) -> Vec<u64> {
        let mut seqs = BTreeSet::new();
        for document in self.documents(job).await {
            let seq = document["seq"].as_u64().expect("a seq");
            assert!(seqs.insert(seq), "seq {seq} comes twice");
        }
        seqs.into_iter().collect()
    }

    /// All documents of a job.
    pub async fn documents(&self, job: &str) -> Vec<Value> {
        let mut documents = Vec::new();
        let mut cursor = String::new();
        loop {
            let (status, page) =
                self.get(&format!("/v1/jobs/{job}/documents?limit=200{cursor}")).await;
            assert_eq!(status, 200, "{page}");
            documents.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return documents,
            }
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let bytes = response.bytes().await.unwrap_or_default();
                (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
            }
            // While the service is down a test that waits goes on waiting.
            Err(_) => (0, Value::Null),
        }
    }
}

async fn spawn(options: &Options) -> (Child, String) {
    let mut command = Command::new(environment::binary());
    command.arg("serve").arg("--listen");
    command.arg(options.listen.as_deref().unwrap_or("127.0.0.1:0"));
    if let Some(directory) = &options.data_dir {
        command.arg("--data-dir").arg(directory);
    }
    match &options.database_url {
        Some(url) => command.env("DATABASE_URL", url),
        None => command.env_remove("DATABASE_URL"),
    };
    command.args(&options.arguments).stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
    command.envs(options.environment.iter().cloned());
    if let Some(log) = &options.log {
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(log);
        command.stderr(opened.expect("opening the log"));
    }
    if options.own_group {
        command.process_group(0);
    }
    let mut child = command.spawn().expect("starting the service");
    let url = said(&mut child, "listening on ").await;
    (child, url)
}

/// Waits for the line that begins with `prefix` and returns the rest of it.
pub(crate) async fn said(child: &mut Child, prefix: &str) -> String {
    let stdout = child.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    let waiting = async {
        while let Some(line) = lines.next_line().await.expect("reading a process's output") {
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
        panic!("the process ended before it said '{prefix}'");
    };
    let rest = tokio::time::timeout(Duration::from_secs(START_SECONDS), waiting)
        .await
        .expect("the process starts in time");
    // The pipe must stay open and be drained, or later lines would fail.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    rest
}
