//! Which user the server runs as: Postgres refuses to be root.

use tokio::process::Command;

/// The uid and gid that stand for nobody, where the machine has no user `postgres`.
const NOBODY: u32 = 65_534;

/// The user that the server's processes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerUser {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Whether processes must be started as another user than this process's own.
    pub(super) switch: bool,
}

impl ServerUser {
    /// This process's own user; as root, the machine's `postgres`, else uid 65534.
    pub fn current() -> Self {
        let euid = rustix::process::geteuid().as_raw();
        let egid = rustix::process::getegid().as_raw();
        let passwd = if euid == 0 {
            std::fs::read_to_string("/etc/passwd").unwrap_or_default()
        } else {
            String::new()
        };
        Self::choose(euid, egid, &passwd)
    }

    /// The same choice over given ids and the text of a passwd file.
    pub fn choose(euid: u32, egid: u32, passwd: &str) -> Self {
        if euid != 0 {
            return Self { uid: euid, gid: egid, switch: false };
        }
        let postgres = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next() != Some("postgres") {
                return None;
            }
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (uid != 0).then_some((uid, gid))
        });
        let (uid, gid) = postgres.unwrap_or((NOBODY, NOBODY));
        Self { uid, gid, switch: true }
    }

    /// Makes `command` run as this user, with nothing of the environment but a plain locale.
    ///
    /// The environment is cleared because PGPORT, PGDATA and their like would change what the server does, and
    /// the locale is fixed because the server's messages are read here.
    pub(super) fn apply(self, command: &mut Command) {
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir("/");
        if self.switch {
            // Supplementary groups are dropped with the user.
            command.uid(self.uid).gid(self.gid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn root_gives_way_to_postgres_and_else_to_nobody() {
        let postgres = ServerUser::choose(0, 0, PASSWD);
        assert_eq!((postgres.uid, postgres.gid, postgres.switch), (101, 104, true));
        let nobody = ServerUser::choose(0, 0, "root:x:0:0::/root:/bin/sh\n");
        assert_eq!((nobody.uid, nobody.gid, nobody.switch), (NOBODY, NOBODY, true));
    }

    #[test]
    fn an_ordinary_user_stays_itself() {
        let user = ServerUser::choose(1000, 1001, PASSWD);
        assert_eq!((user.uid, user.gid, user.switch), (1000, 1001, false));
    }

    #[test]
    fn a_postgres_entry_that_is_root_is_not_taken() {
        let user = ServerUser::choose(0, 0, "postgres:x:0:0::/:/bin/sh\n");
        assert_eq!(user.uid, NOBODY);
    }
}
