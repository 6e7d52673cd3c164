//! One throwaway Postgres for all tests of a run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

/// How long the server may take to come up, in looks of 50 ms.
const LOOKS_MAX: u32 = 1_200;
const LOOK: Duration = Duration::from_millis(50);
/// How many names are tried for its directory.
const DIR_TRIES_MAX: u32 = 16;
/// Keeps the server until standard input ends, then ends it and removes its directory.
///
/// Standard input is a pipe from this program, which ends however the program does: by returning, by a panic, by
/// Ctrl-C or by `kill -9`. Arguments: binaries, directory.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
  -c full_page_writes=off -c max_connections=400 -c shared_buffers=128MB -c max_wal_size=2GB \
  > "$2/log" 2>&1 &
server=$!
read -r forever
kill -INT "$server"
wait "$server"
rm -rf "$2"
"#;

/// The running server; dropping it ends it and removes its directory.
pub(crate) struct TestPostgres {
    keeper: Child,
    dir: PathBuf,
}

impl TestPostgres {
    /// Makes a cluster and starts its server on a unix socket.
    pub(crate) fn start(ambient: &Ambient) -> Outcome<Self> {
        let bin = install::postgres_bin(ambient).ok_or("no server binaries of Postgres")?;
        let user = if ambient.root_user { Some(server_user()?) } else { None };
        let dir = make_dir(user)?;
        let mut initdb = Command::new(bin.join("initdb"));
        initdb.arg("--pgdata").arg(dir.join("data")).args([
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        become_user(&mut initdb, user);
        shell::output(&mut initdb)?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&bin).arg(&dir).process_group(0);
        become_user(&mut command, user);
        let keeper = command
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("could not start the test postgres: {error}"))?;
        let server = Self { keeper, dir };
        server.await_ready()?;
        Ok(server)
    }

    /// A superuser's URL to the database `postgres`; the host is the socket's directory.
    pub(crate) fn url(&self) -> String {
        let host = self.dir.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{host}:5432/postgres")
    }

    fn await_ready(&self) -> Outcome {
        for _ in 0..LOOKS_MAX {
            let pid_file =
                fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap_or_default();
            if pid_file.lines().any(|line| line.trim() == "ready") {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        Err(format!("the test postgres did not start: {log}"))
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Whatever went wrong, there is nobody left to tell.
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A directory of its own with a short path, as sockets need it; the server's user owns it.
fn make_dir(user: Option<(u32, u32)>) -> Outcome<PathBuf> {
    let mut failure = String::new();
    for attempt in 0..DIR_TRIES_MAX {
        let name = format!("hornbook-test-postgres-{}-{attempt}", std::process::id());
        let dir = Path::new("/tmp").join(name);
        let made = fs::create_dir(&dir)
            .and_then(|()| fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)))
            .and_then(|()| match user {
                Some((uid, gid)) => std::os::unix::fs::chown(&dir, Some(uid), Some(gid)),
                None => Ok(()),
            });
        match made {
            Ok(()) => return Ok(dir),
            Err(error) => failure = format!("could not make {}: {error}", dir.display()),
        }
    }
    Err(failure)
}

/// Postgres refuses to be root: the user that its packages made.
fn server_user() -> Outcome<(u32, u32)> {
    let id = |flag: &str| -> Outcome<u32> {
        let text = shell::output(Command::new("id").args([flag, "postgres"]))?;
        String::from_utf8_lossy(&text).trim().parse().map_err(|error| format!("id: {error}"))
    };
    Ok((id("-u")?, id("-g")?))
}

fn become_user(command: &mut Command, user: Option<(u32, u32)>) {
    command.current_dir("/").env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_server_runs_and_leaves_nothing_behind() {
        let ambient = Ambient::read().expect("surroundings");
        let server = TestPostgres::start(&ambient).expect("server");
        let dir = server.dir.clone();
        assert!(dir.join(".s.PGSQL.5432").exists());
        assert!(server.url().starts_with("postgres://postgres@%2Ftmp%2Fhornbook-test-postgres-"));
        let pid_file = fs::read_to_string(dir.join("data/postmaster.pid")).expect("pid file");
        let pid = pid_file.lines().next().expect("pid").trim().to_owned();
        assert!(Path::new("/proc").join(&pid).exists());
        drop(server);
        assert!(!dir.exists());
        assert!(!Path::new("/proc").join(&pid).join("exe").exists());
    }
}
