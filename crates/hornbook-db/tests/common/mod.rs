//! A real Postgres for tests, and a migrated database of its own for each.
//!
//! `HORNBOOK_TEST_DATABASE_URL` names a server on which databases may be created; without it a
//! throwaway cluster is started in a temporary directory and stopped again.

use std::hash::{Hash, Hasher};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use hornbook_db::Db;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// What the template database is made of, seen from any crate; a new migration makes a new template.
const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
const CONNECTIONS: u32 = 16;

/// A migrated database that only this test knows; dropped with it.
pub(crate) struct TestDb {
    /// What is tested.
    pub(crate) db: Db,
    /// For looking at rows and for making time pass, which the crate itself offers no way to do.
    pub(crate) raw: PgPool,
    name: String,
    admin: PgConnectOptions,
    // Last, so that the server outlives the database.
    _server: Option<Server>,
}

impl TestDb {
    pub(crate) async fn new() -> Self {
        let server = match server_from_environment() {
            Some(_) => None,
            None => Some(Server::start()),
        };
        let admin = match &server {
            Some(server) => server.options(),
            None => server_from_environment().unwrap(),
        };
        wait_until_ready(&admin).await;
        let name = format!("t_{}", uuid::Uuid::now_v7().simple());
        let template = template(&admin).await;
        let mut connection = admin.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let options = admin.clone().database(&name);
        let db = Db::connect_with(options.clone(), CONNECTIONS).await.unwrap();
        let raw = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        Self { db, raw, name, admin, _server: server }
    }

    /// Runs a statement as it stands.
    pub(crate) async fn sql(&self, statement: &str) -> u64 {
        sqlx::query(AssertSqlSafe(statement)).execute(&self.raw).await.unwrap().rows_affected()
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.raw).await.unwrap()
    }

    /// Makes every lease that is held now run out.
    pub(crate) async fn expire_leases(&self) {
        self.sql(
            "UPDATE job_chunks SET lease_expires_at = now() - interval '1 second' WHERE state = 'leased'",
        )
        .await;
    }

    /// A second, independent connection pool to the same database.
    pub(crate) async fn another(&self) -> Db {
        Db::connect_with(self.admin.clone().database(&self.name), CONNECTIONS).await.unwrap()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (name, admin) = (self.name.clone(), self.admin.clone());
        // A thread of its own, because a runtime may not wait inside another.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut connection = admin.connect().await?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::query(AssertSqlSafe(drop)).execute(&mut connection).await?;
                connection.close().await
            })
        });
        let _ = dropped.join();
    }
}

/// A server listens a little before it answers.
async fn wait_until_ready(admin: &PgConnectOptions) {
    for _ in 0..600 {
        if let Ok(connection) = admin.connect().await {
            connection.close().await.unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the test server did not start");
}

#[expect(clippy::disallowed_methods, reason = "tests are told by xtask which server to use")]
fn server_from_environment() -> Option<PgConnectOptions> {
    let url = std::env::var("HORNBOOK_TEST_DATABASE_URL").ok()?;
    Some(PgConnectOptions::from_str(&url).unwrap())
}

/// A migrated database to clone, made by whichever test comes first; named by the schema's hash.
async fn template(admin: &PgConnectOptions) -> String {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    let files = std::fs::read_dir(MIGRATIONS).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    for file in files {
        std::fs::read(file).unwrap().hash(&mut hasher);
    }
    let name = format!("template_{:016x}", hasher.finish());
    let mut connection = admin.connect().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(7203)").execute(&mut connection).await.unwrap();
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    if !there {
        let draft = format!("{name}_draft");
        for statement in [
            format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"),
            format!("CREATE DATABASE {draft}"),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        let db = Db::connect_with(admin.clone().database(&draft), 2).await.unwrap();
        db.migrate().await.unwrap();
        db.close().await;
        let rename = format!("ALTER DATABASE {draft} RENAME TO {name}");
        sqlx::query(AssertSqlSafe(rename)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    name
}

/// A throwaway cluster, stopped and removed when dropped.
struct Server {
    child: Child,
    dir: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("hb-pg-").tempdir().unwrap();
        let bin = binaries();
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = dir.path().join("data");
        let command = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir(dir.path()).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let made = command("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "hornbook", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"])
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.dir.path())
            .username("hornbook")
            .database("postgres")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.child.wait();
    }
}

fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|entry| entry.path().join("bin"))
        .chain([PathBuf::from("/usr/local/bin"), PathBuf::from("/usr/bin")])
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("no Postgres server binaries; set HORNBOOK_TEST_DATABASE_URL")
}

/// Whom to run the server as: Postgres refuses root.
fn unprivileged_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let postgres = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            ["postgres", _, uid, gid, ..] => Some((uid.parse().ok()?, gid.parse().ok()?)),
            _ => None,
        }
    });
    Some(postgres.unwrap_or((65_534, 65_534)))
}
