//! The directories of the embedded server: who owns them and who may enter.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::connect::SOCKET_FILE;
use super::error::StartError;
use super::user::ServerUser;

/// The longest socket path that every Unix takes, in bytes: Linux has 108 with the closing NUL, macOS 104.
const SOCKET_PATH_MAX_BYTES: usize = 103;
/// How many names are tried for a short socket directory before giving up.
const SHORT_DIR_TRIES: u32 = 16;

/// Where everything of the embedded server lies.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) data_dir: PathBuf,
    pub(super) home: PathBuf,
    pub(super) cluster: PathBuf,
    pub(super) pgdata: PathBuf,
    pub(super) log: PathBuf,
    pub(super) server_lock: PathBuf,
}

impl Layout {
    /// The layout under a canonical data directory.
    pub(super) fn new(data_dir: &Path) -> Self {
        let home = data_dir.join("postgres");
        let cluster = home.join("cluster");
        Self {
            data_dir: data_dir.to_path_buf(),
            pgdata: cluster.join("data"),
            log: home.join("log"),
            server_lock: home.join("server.lock"),
            cluster,
            home,
        }
    }
}

/// Makes the data directory if need be, proves that the server's user can reach it, and returns its real path.
pub(super) fn make_data_dir(data_dir: &Path, user: ServerUser) -> Result<PathBuf, StartError> {
    let absolute = std::path::absolute(data_dir).map_err(StartError::file("resolve", data_dir))?;
    check_enterable(&absolute, user)?;
    let missing: Vec<&Path> = absolute.ancestors().take_while(|dir| !dir.exists()).collect();
    fs::create_dir_all(&absolute).map_err(StartError::file("make directory", &absolute))?;
    for dir in missing {
        // What is made here must let the server's user pass, whatever the umask; others may pass but not list.
        let mode = if user.switch { 0o711 } else { 0o700 };
        fs::set_permissions(dir, fs::Permissions::from_mode(mode))
            .map_err(StartError::file("set the mode of", dir))?;
    }
    let real = absolute.canonicalize().map_err(StartError::file("resolve", &absolute))?;
    check_enterable(&real, user)?;
    Ok(real)
}

/// Fails with the name of the first directory on the way to `dir`, itself included, that `user` cannot enter; what
/// does not exist yet stands in nobody's way.
pub(super) fn check_enterable(dir: &Path, user: ServerUser) -> Result<(), StartError> {
    let mut way: Vec<&Path> = dir.ancestors().collect();
    way.reverse();
    for step in way {
        // As another user the mode bits decide; for its own the kernel knows groups and access lists better.
        let looked = if user.switch { fs::metadata(step) } else { fs::metadata(step.join(".")) };
        let enters = match looked {
            Ok(meta) => !user.switch || meta.mode() & entry_bit(&meta, user) != 0,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => false,
            Err(error) => return Err(StartError::file("look at", step)(error)),
        };
        if !enters {
            return Err(StartError::CannotEnter { path: step.to_path_buf(), uid: user.uid });
        }
    }
    Ok(())
}

/// The mode bit that lets `user` pass.
fn entry_bit(meta: &fs::Metadata, user: ServerUser) -> u32 {
    if meta.uid() == user.uid {
        0o100
    } else if meta.gid() == user.gid {
        0o010
    } else {
        0o001
    }
}

/// Makes the server's own directories and returns the user that owns the cluster.
///
/// A cluster that is already there stays with its owner: root runs the server as that user, whatever users the
/// machine has gained since.
pub(super) fn make_home(layout: &Layout, user: ServerUser) -> Result<ServerUser, StartError> {
    make_dir(&layout.home, if user.switch { 0o711 } else { 0o700 })?;
    if let Ok(meta) = fs::symlink_metadata(&layout.pgdata) {
        if !user.switch && meta.uid() != user.uid {
            return Err(StartError::NotOwner {
                path: layout.pgdata.clone(),
                owner: meta.uid(),
                uid: user.uid,
            });
        }
        let owner = ServerUser { uid: meta.uid(), gid: meta.gid(), switch: user.switch };
        check_enterable(&layout.cluster, owner)?;
        return Ok(owner);
    }
    make_private_dir(&layout.cluster, user)?;
    Ok(user)
}

/// Makes the directory of the socket: in the data directory, or a short one whose place is written down.
pub(super) fn make_socket_dir(
    layout: &Layout,
    user: ServerUser,
    runtime_dir: Option<&Path>,
) -> Result<PathBuf, StartError> {
    let own = layout.home.join("run");
    if fits(&own) {
        make_private_dir(&own, user)?;
        return Ok(own);
    }
    let record = layout.home.join("socket-dir");
    if let Ok(recorded) = fs::read_to_string(&record) {
        let recorded = PathBuf::from(recorded);
        if fits(&recorded) && is_private_dir(&recorded, user) {
            return Ok(recorded);
        }
    }
    let parents: Vec<&Path> = runtime_dir.into_iter().chain([Path::new("/tmp")]).collect();
    for parent in &parents {
        if check_enterable(parent, user).is_err() {
            continue;
        }
        if let Some(dir) = make_short_dir(parent, &layout.data_dir, user)? {
            let text = dir.to_string_lossy();
            fs::write(&record, text.as_bytes()).map_err(StartError::file("write", &record))?;
            return Ok(dir);
        }
    }
    let tried: Vec<String> = parents.iter().map(|parent| parent.display().to_string()).collect();
    Err(StartError::NoSocketDir { tried: tried.join(", ") })
}

/// Whether the socket's whole path in `dir` is short enough for an address.
fn fits(dir: &Path) -> bool {
    dir.join(SOCKET_FILE).as_os_str().len() <= SOCKET_PATH_MAX_BYTES
}

/// Makes a directory named after the data directory; a name that somebody else took is left to them.
fn make_short_dir(
    parent: &Path,
    data_dir: &Path,
    user: ServerUser,
) -> Result<Option<PathBuf>, StartError> {
    let digest = hex::encode(Sha256::digest(data_dir.as_os_str().as_encoded_bytes()));
    for attempt in 0..SHORT_DIR_TRIES {
        let dir = parent.join(format!("hornbook-{}-{attempt}", &digest[..12]));
        if !fits(&dir) {
            return Ok(None);
        }
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => {
                give(&dir, user)?;
                return Ok(Some(dir));
            }
            Err(_) if is_private_dir(&dir, user) => return Ok(Some(dir)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether `dir` is a real directory that only the server's user may enter.
fn is_private_dir(dir: &Path, user: ServerUser) -> bool {
    fs::symlink_metadata(dir)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == user.uid && meta.mode() & 0o777 == 0o700)
}

fn make_private_dir(dir: &Path, user: ServerUser) -> Result<(), StartError> {
    make_dir(dir, 0o700)?;
    give(dir, user)
}

/// Makes a directory with exactly this mode, or gives the mode to the one that is there.
fn make_dir(dir: &Path, mode: u32) -> Result<(), StartError> {
    match fs::create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StartError::file("make directory", dir)(error)),
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(mode))
        .map_err(StartError::file("set the mode of", dir))
}

/// Hands a directory to the server's user; links are not followed.
fn give(dir: &Path, user: ServerUser) -> Result<(), StartError> {
    if !user.switch {
        return Ok(());
    }
    std::os::unix::fs::lchown(dir, Some(user.uid), Some(user.gid))
        .map_err(StartError::file("change the owner of", dir))
}
