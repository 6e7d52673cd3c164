//! `cargo xtask compose`: the compose file is valid and keeps its promises.

use std::process::{Command, Stdio};

use crate::ambient::Ambient;
use crate::{Outcome, python, shell};

/// Checks the file's structure always, and asks docker's own parser where there is one.
pub(crate) fn run(ambient: &Ambient) -> Outcome {
    let python = python::environment(ambient)?.join("bin/python");
    let file = ambient.root.join("docker-compose.yml");
    shell::run(Command::new(python).arg(ambient.root.join("deploy/check_compose.py")).arg(&file))?;
    let docker = Command::new("docker")
        .args(["compose", "version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !docker {
        println!("docker compose is not installed, so only the structure was checked");
        return Ok(());
    }
    let mut config = Command::new("docker");
    shell::run(config.args(["compose", "--file"]).arg(&file).args(["config", "--quiet"]))
}
