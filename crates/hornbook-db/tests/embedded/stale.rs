//! What dead servers and dead services leave behind.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hornbook_db::embedded::{StartError, attach};

use crate::support::{Place, Service, connect, is_postgres, is_root, rows, write_row};

/// A living process of the server's own user that is not Postgres, ended with the test.
struct Stranger(Child);

impl Stranger {
    fn start(cluster: &Path) -> Self {
        let owner = fs::metadata(cluster).expect("cluster");
        let mut command = Command::new("sleep");
        command.arg("600").current_dir(cluster);
        if is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Self(command.spawn().expect("stranger"))
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("status").is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_not_believed() {
    let place = Place::new();
    let postgres = place.start().await;
    write_row(&mut connect(&postgres).await).await;
    let pid_file = place.pgdata().join("postmaster.pid");
    let socket_lock = postgres.socket_dir().join(".s.PGSQL.5432.lock");
    let texts = [&pid_file, &socket_lock].map(|path| fs::read_to_string(path).expect("lock file"));
    let pid = postgres.pid().expect("pid").to_string();
    postgres.stop().await.expect("stopped");

    // The stranger even works in the data directory, as only Postgres would.
    let mut stranger = Stranger::start(&place.pgdata());
    for (path, text) in [&pid_file, &socket_lock].into_iter().zip(texts) {
        fs::write(path, text.replacen(&pid, &stranger.0.id().to_string(), 1)).expect("lock file");
    }
    let nobody = attach(place.data_dir()).await;
    assert!(matches!(nobody, Err(StartError::NotRunning { .. })), "{nobody:?}");

    let postgres = place.start().await;
    assert_ne!(postgres.pid(), Some(stranger.0.id()));
    assert_eq!(rows(place.data_dir()).await, 1);
    postgres.stop().await.expect("stopped");
    assert!(stranger.lives(), "the stranger was left alone");
}

#[tokio::test]
async fn processes_of_an_earlier_server_are_waited_for() {
    let place = Place::new();
    place.start().await.stop().await.expect("stopped");
    let held = OpenOptions::new()
        .write(true)
        .open(place.data_dir().join("postgres/server.lock"))
        .expect("server lock");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .expect("free after a clean stop");
    let released = Arc::new(AtomicBool::new(false));
    let release = tokio::spawn({
        let released = Arc::clone(&released);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            released.store(true, Ordering::SeqCst);
            drop(held);
        }
    });
    let postgres = place.start().await;
    assert!(released.load(Ordering::SeqCst), "the start came before the last process had gone");
    release.await.expect("task");
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn the_servers_processes_hold_its_lock() {
    let place = Place::new();
    let postgres = place.start().await;
    let file = OpenOptions::new()
        .write(true)
        .open(place.data_dir().join("postgres/server.lock"))
        .expect("server lock");
    let lock = || rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    lock().expect_err("held while the server runs");
    postgres.stop().await.expect("stopped");
    lock().expect("free when the last process is gone");
}

#[tokio::test]
async fn a_server_without_its_socket_is_replaced() {
    let place = Place::new();
    let mut service = Service::start(place.data_dir());
    service.kill();
    fs::remove_file(place.data_dir().join("postgres/run/.s.PGSQL.5432")).expect("socket");
    let postgres = place.start().await;
    assert_ne!(postgres.pid(), Some(service.postmaster));
    assert!(!is_postgres(service.postmaster));
    connect(&postgres).await;
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_half_made_cluster_is_thrown_away() {
    let place = Place::new();
    let half = place.data_dir().join("postgres/cluster/data.init-1");
    fs::create_dir_all(half.join("base")).expect("half-made cluster");
    fs::write(half.join("PG_VERSION"), "15\n").expect("version");
    place.start().await.stop().await.expect("stopped");
    assert!(!half.exists());
}
