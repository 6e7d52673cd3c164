//! Installs system packages that are missing, or says which ones to install.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ambient::{Ambient, is_program};
use crate::{Outcome, shell};

/// Something that must be on the machine, and the Debian packages that bring it.
pub(crate) struct Need {
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// Whether it is there.
    pub(crate) met: fn(&Ambient) -> bool,
    /// Debian's packages.
    pub(crate) packages: &'static [&'static str],
}

/// The server binaries of Postgres.
pub(crate) const POSTGRES: Need = Need {
    what: "the server binaries of Postgres",
    met: |ambient| postgres_bin(ambient).is_some(),
    packages: &["postgresql"],
};

/// Python with pip and venv.
pub(crate) const PYTHON: Need = Need {
    what: "Python 3 with pip and venv",
    met: |_| {
        Command::new("python3")
            .args(["-c", "import ensurepip, pip, venv"])
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    },
    packages: &["python3", "python3-pip", "python3-venv"],
};

/// A browser without a window and its driver.
pub(crate) const BROWSER: Need = Need {
    what: "Chromium and its driver",
    met: |ambient| chromium(ambient).is_some() && ambient.find("chromedriver").is_some(),
    packages: &["chromium", "chromium-driver"],
};

/// Node and npm, for the browser tests.
pub(crate) const NODE: Need = Need {
    what: "node and npm",
    met: |ambient| ambient.find("node").is_some() && ambient.find("npm").is_some(),
    packages: &["nodejs", "npm"],
};

/// Makes sure of all needs: installs what is missing as root with apt-get, else says what to install.
pub(crate) fn ensure(needs: &[Need], ambient: &Ambient) -> Outcome {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.met)(ambient)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<&str> =
        missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let whats: Vec<&str> = missing.iter().map(|need| need.what).collect();
    if !ambient.root_user || ambient.find("apt-get").is_none() {
        return Err(format!(
            "{} must be installed first; on Debian and Ubuntu: sudo apt-get install {}",
            whats.join(", "),
            packages.join(" ")
        ));
    }
    println!("installing {} (packages {})", whats.join(", "), packages.join(", "));
    shell::run(&mut apt_get(&["update", "-qq"]))?;
    let mut install = apt_get(&["install", "-y", "-qq", "--no-install-recommends"]);
    shell::run(install.args(&packages))?;
    match missing.iter().find(|need| !(need.met)(ambient)) {
        None => Ok(()),
        Some(need) => Err(format!("{} is still missing after its packages came", need.what)),
    }
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        // Another installation may be under way; its lock is waited for.
        .args(["-o", "DPkg::Lock::Timeout=180"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// The directory with `postgres` and `initdb`: where `HORNBOOK_PG_BIN` says, in `PATH`, else the newest version that
/// Debian's packages brought.
pub(crate) fn postgres_bin(ambient: &Ambient) -> Option<PathBuf> {
    let complete =
        |dir: &Path| is_program(&dir.join("postgres")) && is_program(&dir.join("initdb"));
    if let Some(dir) = &ambient.pg_bin {
        return complete(dir).then(|| dir.clone());
    }
    if let Some(dir) = ambient.path.iter().find(|dir| complete(dir)) {
        return Some(dir.clone());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version: f64 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, dir)| complete(dir))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, dir)| dir)
}

/// The browser, under any of its names.
pub(crate) fn chromium(ambient: &Ambient) -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(|name| ambient.find(name))
}
