//! `cargo xtask compose`: the compose file is valid and keeps its promises.

use std::process::{Command, Stdio};

use crate::ambient::Ambient;
use crate::{Outcome, python, shell};

/// Checks the file's structure always, and asks docker's own parser where there is one.
pub(crate) fn run(ambient: &Ambient) -> Outcome {
    let python = python::environment(ambient, python::USUAL)?.join("bin/python");
    let file = ambient.root.join("docker-compose.yml");
    shell::run(Command::new(python).arg(ambient.root.join("deploy/check_compose.py")).arg(&file))?;
    for compose in [&["docker", "compose"][..], &["docker-compose"]] {
        let mut probe = client(compose);
        let there = probe.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
        if there.status().is_ok_and(|status| status.success()) {
            let mut config = client(compose);
            return shell::run(config.arg("--file").arg(&file).args(["config", "--quiet"]));
        }
    }
    println!("docker compose is not installed, so only the structure was checked");
    Ok(())
}

fn client(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
