//! A Python environment with exactly the packages that tests name.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

/// Makes the environment, or finds the one made for the same list of packages, and returns its directory.
pub(crate) fn environment(ambient: &Ambient) -> Outcome<PathBuf> {
    let requirements = ambient.root.join("tests/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("could not read {}: {error}", requirements.display()))?;
    let venv = ambient.target.join("venv");
    let stamp = venv.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(venv);
    }
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    shell::run(
        Command::new(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .arg("--requirement")
            .arg(&requirements),
    )?;
    fs::write(&stamp, wanted)
        .map_err(|error| format!("could not write {}: {error}", stamp.display()))?;
    Ok(venv)
}
