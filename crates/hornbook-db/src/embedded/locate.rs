//! Finds a directory with the programs `postgres` and `initdb`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::error::StartError;
use super::paths::check_enterable;
use super::user::ServerUser;

/// The oldest major version whose SQL and options this program uses.
const OLDEST_MAJOR: u32 = 14;
/// How deep an unpacked wheel is searched for `bin/postgres`.
const WHEEL_DEPTH_MAX: usize = 4;
/// How many directories of an unpacked wheel are looked into.
const WHEEL_DIRS_MAX: usize = 4_096;

/// Where to look for the server's binaries.
#[derive(Debug, Clone)]
pub struct Search {
    /// `HORNBOOK_PG_BIN`: a directory with the binaries, or one under which a wheel was unpacked; nothing else is
    /// searched when it is given.
    pub explicit: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// Directories with one `VERSION/bin` per installed version, searched last and newest first.
    pub system_roots: Vec<PathBuf>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            explicit: None,
            path: None,
            system_roots: vec![PathBuf::from("/usr/lib/postgresql")],
        }
    }
}

/// A directory of server programs and their major version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

/// Finds binaries that `user` can run: of the cluster's major version if there is a cluster, else the first found.
pub(super) async fn locate(
    search: &Search,
    user: ServerUser,
    cluster: Option<(u32, &Path)>,
) -> Result<Binaries, StartError> {
    let mut refused = None;
    let mut found: Vec<Binaries> = Vec::new();
    for dir in candidates(search)? {
        if let Err(error) = check_enterable(&dir, user) {
            refused.get_or_insert(error);
            continue;
        }
        match major_of(&dir, user).await {
            Ok(major) => found.push(Binaries { dir, major }),
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    let Some(newest) = found.iter().map(|binaries| binaries.major).max() else {
        return Err(
            refused.unwrap_or_else(|| StartError::NoBinaries { searched: describe(search) })
        );
    };
    if let Some((major, path)) = cluster {
        let majors: Vec<String> = found.iter().map(|binaries| binaries.major.to_string()).collect();
        return found.into_iter().find(|binaries| binaries.major == major).ok_or_else(|| {
            StartError::VersionMismatch {
                path: path.to_path_buf(),
                cluster: major,
                found: majors.join(", "),
            }
        });
    }
    found
        .into_iter()
        .find(|binaries| binaries.major >= OLDEST_MAJOR)
        .ok_or(StartError::TooOld { found: newest, minimum: OLDEST_MAJOR })
}

/// Every directory that holds both programs, in order of preference, each once.
fn candidates(search: &Search) -> Result<Vec<PathBuf>, StartError> {
    let mut dirs = Vec::new();
    if let Some(explicit) = &search.explicit {
        for dir in bin_dirs_under(explicit) {
            for program in ["postgres", "initdb"] {
                let path = dir.join(program);
                if !is_executable(&path) {
                    return Err(StartError::NotExecutable { path });
                }
            }
            dirs.push(dir);
        }
    } else {
        if let Some(path) = &search.path {
            dirs.extend(std::env::split_paths(path).filter(|dir| dir.is_absolute()));
        }
        for root in &search.system_roots {
            dirs.extend(versions_newest_first(root));
        }
        dirs.retain(|dir| {
            is_executable(&dir.join("postgres")) && is_executable(&dir.join("initdb"))
        });
    }
    let mut unique: Vec<PathBuf> = Vec::new();
    for dir in dirs {
        let real = home_of(&dir);
        if !unique.contains(&real) {
            unique.push(real);
        }
    }
    Ok(unique)
}

/// The directory that the programs really lie in: `PATH` may hold links to them.
fn home_of(dir: &Path) -> PathBuf {
    let real = dir.join("postgres").canonicalize().ok();
    match real.as_deref().and_then(Path::parent) {
        Some(parent) if is_executable(&parent.join("initdb")) => parent.to_path_buf(),
        _ => dir.to_path_buf(),
    }
}

/// `dir` itself, or every `bin` under it that has a `postgres`, nearest first.
fn bin_dirs_under(dir: &Path) -> Vec<PathBuf> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    if dir.join("postgres").is_file() {
        return vec![dir];
    }
    let mut found = Vec::new();
    let mut level = vec![dir];
    let mut seen = 0;
    for _ in 0..WHEEL_DEPTH_MAX {
        let mut next = Vec::new();
        for dir in level {
            if dir.join("bin/postgres").is_file() {
                found.push(dir.join("bin"));
            }
            seen += 1;
            if seen > WHEEL_DIRS_MAX {
                return found;
            }
            next.extend(subdirectories(&dir));
        }
        level = next;
    }
    found
}

/// `ROOT/VERSION/bin` for every version, highest number first.
fn versions_newest_first(root: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<(Vec<u32>, PathBuf)> = subdirectories(root)
        .into_iter()
        .filter_map(|dir| {
            let name = dir.file_name()?.to_str()?;
            let numbers: Option<Vec<u32>> = name.split('.').map(|part| part.parse().ok()).collect();
            Some((numbers?, dir.join("bin")))
        })
        .collect();
    versions.sort_by(|a, b| b.0.cmp(&a.0));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    dirs.sort();
    dirs
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Asks `postgres --version`, as the user that will run it.
async fn major_of(dir: &Path, user: ServerUser) -> Result<u32, StartError> {
    let program = dir.join("postgres");
    let mut command = Command::new(&program);
    user.apply(&mut command);
    let output = command
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(StartError::file("run", &program))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_major(&text).ok_or_else(|| StartError::Program {
        program: "postgres --version",
        output: format!("{}{}", text.trim(), String::from_utf8_lossy(&output.stderr).trim()),
    })
}

/// The major version in `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn describe(search: &Search) -> String {
    if let Some(explicit) = &search.explicit {
        return explicit.display().to_string();
    }
    let roots = search.system_roots.iter().map(|root| format!("{}/*/bin", root.display()));
    let path = search.path.is_some().then(|| "PATH".to_owned());
    path.into_iter().chain(roots).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(dir: &Path, mode: u32) {
        fs::create_dir_all(dir).expect("directory");
        for name in ["postgres", "initdb"] {
            fs::write(dir.join(name), "#!/bin/sh\n").expect("program");
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).expect("mode");
        }
    }

    #[test]
    fn versions_are_read_from_every_spelling() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("command not found"), None);
    }

    #[test]
    fn path_comes_before_system_directories_and_those_newest_first() {
        let temp = tempfile::tempdir().expect("temporary directory");
        let root = temp.path().canonicalize().expect("real path");
        for version in ["9.6", "17", "9.10", "15", "notes"] {
            install(&root.join("sys").join(version).join("bin"), 0o755);
        }
        install(&root.join("own"), 0o755);
        fs::create_dir(root.join("links")).expect("directory");
        for name in ["postgres", "initdb"] {
            std::os::unix::fs::symlink(
                root.join("sys/15/bin").join(name),
                root.join("links").join(name),
            )
            .expect("link");
        }
        let search = Search {
            explicit: None,
            path: Some(std::env::join_paths([root.join("own"), root.join("links")]).expect("PATH")),
            system_roots: vec![root.join("sys")],
        };
        let names: Vec<String> = candidates(&search)
            .expect("candidates")
            .iter()
            .map(|dir| dir.strip_prefix(&root).expect("under root").display().to_string())
            .collect();
        assert_eq!(names, ["own", "sys/15/bin", "sys/17/bin", "sys/9.10/bin", "sys/9.6/bin"]);
    }

    #[test]
    fn an_unpacked_wheel_is_searched_like_a_directory() {
        let temp = tempfile::tempdir().expect("temporary directory");
        let wheel = temp.path().canonicalize().expect("real path");
        install(&wheel.join("pgserver/pginstall/bin"), 0o755);
        let mut search = Search { explicit: Some(wheel.clone()), ..Search::default() };
        assert_eq!(
            candidates(&search).expect("candidates"),
            [wheel.join("pgserver/pginstall/bin")]
        );
        search.explicit = Some(wheel.join("pgserver/pginstall/bin"));
        assert_eq!(
            candidates(&search).expect("candidates"),
            [wheel.join("pgserver/pginstall/bin")]
        );
    }

    #[test]
    fn a_wheel_that_lost_its_modes_is_named() {
        let temp = tempfile::tempdir().expect("temporary directory");
        install(&temp.path().join("bin"), 0o644);
        let search = Search { explicit: Some(temp.path().to_path_buf()), ..Search::default() };
        assert!(matches!(candidates(&search), Err(StartError::NotExecutable { .. })));
    }

    #[tokio::test]
    async fn an_explicit_directory_without_binaries_is_an_error_and_nothing_else_is_tried() {
        let temp = tempfile::tempdir().expect("temporary directory");
        let search = Search { explicit: Some(temp.path().to_path_buf()), ..Search::default() };
        let error = locate(&search, ServerUser::current(), None).await.expect_err("no binaries");
        assert!(error.to_string().contains(&temp.path().display().to_string()), "{error}");
    }
}
