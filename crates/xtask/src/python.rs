//! Python environments with exactly the packages that tests name.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

/// What every test may use.
pub(crate) const USUAL: &str = "requirements.txt";
/// Older clients of the Hub, for `--full`.
pub(crate) const OLD_CLIENTS: &str = "requirements-old-clients.txt";

/// Makes the environment of a list of packages, or finds the one made for the same list, and returns its directory.
pub(crate) fn environment(ambient: &Ambient, list: &str) -> Outcome<PathBuf> {
    let requirements = ambient.root.join("tests/python").join(list);
    let wanted = fs::read_to_string(&requirements)
        .map_err(|error| format!("could not read {}: {error}", requirements.display()))?;
    // `requirements.txt` has the plain name, `requirements-X.txt` adds its own.
    let name = list.trim_end_matches(".txt").replacen("requirements", "venv", 1);
    let venv = ambient.target.join(name);
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
