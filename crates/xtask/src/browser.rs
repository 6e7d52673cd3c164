//! The packages of the browser tests, exactly as their lock file has them.

use std::fs;
use std::process::Command;

use crate::ambient::Ambient;
use crate::{Outcome, shell};

/// Installs them unless the same lock file was installed before.
pub(crate) fn packages(ambient: &Ambient) -> Outcome {
    let dir = ambient.root.join("tests/browser");
    let Ok(wanted) = fs::read_to_string(dir.join("package-lock.json")) else {
        return Ok(());
    };
    let stamp = dir.join("node_modules/.installed-package-lock.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    shell::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&dir)
            // The browser is the system's; no package may bring one of its own.
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .env("PUPPETEER_SKIP_DOWNLOAD", "1"),
    )?;
    fs::write(&stamp, wanted)
        .map_err(|error| format!("could not write {}: {error}", stamp.display()))
}
