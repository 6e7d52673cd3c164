//! Scripts of `tests/python`, run with the packages that they want.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::environment;
use crate::service::said;

/// A script of `tests/python`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// Runs a client with a key on its standard input and returns what it found: the JSON that it prints.
pub async fn client(name: &str, arguments: &[&str], key: &str, within: Duration) -> Value {
    let mut client = Command::new(environment::python())
        .arg(script(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("starting the client");
    let mut stdin = client.stdin.take().expect("a pipe");
    stdin.write_all(key.as_bytes()).await.expect("handing the key over");
    drop(stdin);
    let done = timeout(within, client.wait_with_output()).await.expect("the client ends");
    let done = done.expect("running the client");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("the client's findings")
}

/// Starts a server that says `listening on ` and its address; it is killed when dropped.
pub async fn server(name: &str) -> (Child, String) {
    let mut server = Command::new(environment::python())
        .arg(script(name))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("starting the server");
    let address = said(&mut server, "listening on ").await;
    (server, address)
}
