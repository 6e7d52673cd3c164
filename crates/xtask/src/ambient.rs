//! What the machine and the environment say; this file alone asks them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// The surroundings of one run.
pub(crate) struct Ambient {
    /// The cargo that runs this, or the one in `PATH`.
    pub(crate) cargo: PathBuf,
    /// The top of the repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds, `CARGO_TARGET_DIR` and configuration honoured.
    pub(crate) target: PathBuf,
    /// `PATH`, as a list.
    pub(crate) path: Vec<PathBuf>,
    /// `HORNBOOK_PG_BIN`: where the server binaries of Postgres are, if somebody says so.
    pub(crate) pg_bin: Option<PathBuf>,
    /// Whether this runs as root.
    pub(crate) root_user: bool,
    /// The whole answer of `cargo metadata --no-deps`.
    pub(crate) metadata: serde_json::Value,
}

impl Ambient {
    /// Asks for all of it, once.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub(crate) fn read() -> Outcome<Self> {
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let output = Command::new(&cargo)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .map_err(|error| format!("could not run {}: {error}", cargo.display()))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata made no sense: {error}"))?;
        let directory = |name: &str| {
            metadata[name]
                .as_str()
                .map(PathBuf::from)
                .ok_or_else(|| format!("cargo metadata has no {name}"))
        };
        Ok(Self {
            root: directory("workspace_root")?,
            target: directory("target_directory")?,
            cargo,
            path: std::env::split_paths(&path).collect(),
            pg_bin: std::env::var_os("HORNBOOK_PG_BIN").map(PathBuf::from),
            root_user: effective_uid() == Some(0),
            metadata,
        })
    }

    /// A cargo command in the repository.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.root);
        command
    }

    /// The built service.
    pub(crate) fn hornbook(&self) -> PathBuf {
        self.target.join("debug").join("hornbook")
    }

    /// Finds a program in `PATH`.
    pub(crate) fn find(&self, program: &str) -> Option<PathBuf> {
        self.path.iter().map(|dir| dir.join(program)).find(|path| is_program(path))
    }
}

fn effective_uid() -> Option<u32> {
    let output = Command::new("id").arg("-u").output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Whether a file is there and may be run by somebody.
pub(crate) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
