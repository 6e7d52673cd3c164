//! Makes a cluster: into a temporary directory, then renamed, so that a half-made one is never taken for real.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::connect::SUPERUSER;
use super::error::StartError;
use super::launch::Setup;
use super::paths::Layout;

/// What a half-made cluster's name begins with.
const HALF_MADE_PREFIX: &str = "data.init-";
/// How long `initdb` may take; it needs about a second where disks are ordinary.
const INITDB_LIMIT: Duration = Duration::from_secs(120);
/// How much of a failed program's output is kept, in bytes.
const OUTPUT_MAX_BYTES: usize = 2_048;

/// The major version that made the cluster, or `None` when there is no cluster yet.
pub(super) fn cluster_major(layout: &Layout) -> Result<Option<u32>, StartError> {
    let path = layout.pgdata.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().split('.').next().and_then(|major| major.parse().ok()) {
            Some(major) => Ok(Some(major)),
            None => {
                Err(StartError::file("understand", &path)(std::io::ErrorKind::InvalidData.into()))
            }
        },
        // A cluster directory without the file is damaged; only a missing directory means a first start.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !layout.pgdata.exists() => {
            Ok(None)
        }
        Err(error) => Err(StartError::file("read", &path)(error)),
    }
}

/// Runs `initdb` and renames its work into place.
pub(super) async fn init(setup: &Setup) -> Result<(), StartError> {
    let layout = &setup.layout;
    remove_half_made(layout)?;
    let temporary = layout.cluster.join(format!("{HALF_MADE_PREFIX}{}", std::process::id()));
    let program = setup.binaries.dir.join("initdb");
    let mut command = Command::new(&program);
    setup.user.apply(&mut command);
    command
        .arg("--pgdata")
        .arg(&temporary)
        .args(["--username", SUPERUSER])
        .args(["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"])
        // Nobody but the server's user and root can reach the socket, so whoever does is trusted.
        .args(["--auth-local=trust", "--auth-host=reject"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let run = tokio::time::timeout(INITDB_LIMIT, command.output());
    let output = match run.await {
        Ok(output) => output.map_err(StartError::file("run", &program))?,
        Err(_) => {
            return Err(StartError::Program {
                program: "initdb",
                output: format!("not done after {} s", INITDB_LIMIT.as_secs()),
            });
        }
    };
    if !output.status.success() {
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        return Err(StartError::Program {
            program: "initdb",
            output: tail(text.trim(), OUTPUT_MAX_BYTES).to_owned(),
        });
    }
    fs::rename(&temporary, &layout.pgdata).map_err(StartError::file("rename", &temporary))?;
    // The rename itself must survive a power cut.
    fs::File::open(&layout.cluster)
        .and_then(|dir| dir.sync_all())
        .map_err(StartError::file("sync", &layout.cluster))
}

/// Removes what services that died during `initdb` left behind.
fn remove_half_made(layout: &Layout) -> Result<(), StartError> {
    let entries =
        fs::read_dir(&layout.cluster).map_err(StartError::file("list", &layout.cluster))?;
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(HALF_MADE_PREFIX) {
            fs::remove_dir_all(entry.path()).map_err(StartError::file("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// The last `max_bytes` of a text, cut at a character.
pub(super) fn tail(text: &str, max_bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(max_bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
