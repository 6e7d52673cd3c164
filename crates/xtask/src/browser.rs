//! The browser tests: their packages, exactly as their lock file has them, and running them.

use std::fs;
use std::path::Path;
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

/// Runs them against the built binary, with a private Postgres of their own.
pub(crate) fn run(ambient: &Ambient, chromium: &Path) -> Outcome {
    shell::run(
        Command::new("npm")
            .arg("test")
            .current_dir(ambient.root.join("tests/browser"))
            .env("HORNBOOK_BIN", ambient.hornbook())
            .env("HORNBOOK_CHROMIUM", chromium)
            .env_remove("DATABASE_URL")
            .env_remove("DATABASE_URL_FILE"),
    )
}
