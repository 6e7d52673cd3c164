//! Start, stop, start again; one service per data directory; attaching from beside.

use std::fs;
use std::os::unix::fs::MetadataExt;

use hornbook_db::embedded::{Postgres, StartError, Status, attach};
use rustix::process::Signal;
use sqlx::Connection;

use crate::support::{
    Place, Service, ask, connect, is_postgres, is_root, mode, rows, until, write_row,
};

#[tokio::test]
async fn a_first_start_makes_a_private_durable_server_and_a_stop_ends_it() {
    let place = Place::new();
    let postgres = place.start().await;
    let pid = postgres.pid().expect("pid");
    let mut connection = connect(&postgres).await;

    assert_eq!(ask(&mut connection, "SELECT current_database()::text").await, "hornbook");
    assert_eq!(ask(&mut connection, "SELECT current_setting('fsync')").await, "on");
    assert_eq!(ask(&mut connection, "SELECT current_setting('synchronous_commit')").await, "on");
    assert_eq!(ask(&mut connection, "SELECT current_setting('listen_addresses')").await, "");
    assert_eq!(ask(&mut connection, "SELECT current_setting('server_encoding')").await, "UTF8");
    assert_eq!(ask(&mut connection, "SELECT current_setting('data_checksums')").await, "on");
    assert_eq!(mode(postgres.socket_dir()), 0o700);
    let owner = fs::metadata(postgres.socket_dir()).expect("socket directory").uid();
    let server = fs::metadata(format!("/proc/{pid}")).expect("process").uid();
    assert_eq!(owner, server);
    assert_ne!(server, 0, "postgres never runs as root");

    write_row(&mut connection).await;
    connection.close().await.expect("closed");
    postgres.stop().await.expect("stopped");
    assert!(!is_postgres(pid));

    let postgres = place.start().await;
    assert_ne!(postgres.pid(), Some(pid));
    assert_eq!(rows(place.data_dir()).await, 1);
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_open_connections() {
    let place = Place::new();
    let postgres = place.start().await;
    let mut status = postgres.status();
    let pid = postgres.pid().expect("pid");
    let _open = connect(&postgres).await;
    postgres.stop().await.expect("stopped");
    assert_eq!(*status.borrow_and_update(), Status::Stopped);
    assert!(!is_postgres(pid));
}

#[tokio::test]
async fn a_dropped_server_ends_by_itself() {
    let place = Place::new();
    let postgres = place.start().await;
    let pid = postgres.pid().expect("pid");
    drop(postgres);
    until("the server has ended", || !is_postgres(pid)).await;
}

#[tokio::test]
async fn two_services_never_share_a_data_directory() {
    let place = Place::new();
    let first = place.start().await;
    match Postgres::start(&place.config()).await {
        Err(StartError::InUse { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("the second service got {other:?}"),
    }
    connect(&first).await.close().await.expect("the first is undisturbed");
    first.stop().await.expect("stopped");
    place.start().await.stop().await.expect("the directory is free again");
}

#[tokio::test]
async fn ctrl_c_reaches_the_service_and_not_its_server() {
    let place = Place::new();
    let mut service = Service::start(place.data_dir());
    let status = service.signal_group(Signal::INT);
    assert!(!status.success(), "the service was interrupted");
    assert!(is_postgres(service.postmaster));
    attach(place.data_dir()).await.expect("the server still answers");
    place.start().await.stop().await.expect("the next service stops it");
    assert!(!is_postgres(service.postmaster));
}

#[tokio::test]
async fn a_server_that_outlived_its_service_is_adopted() {
    let place = Place::new();
    let mut service = Service::start(place.data_dir());
    service.kill();

    let postgres = place.start().await;
    assert_eq!(postgres.pid(), Some(service.postmaster), "the same server goes on");
    write_row(&mut connect(&postgres).await).await;
    postgres.stop().await.expect("stopped");
    assert!(!is_postgres(service.postmaster));
}

#[tokio::test]
async fn attaching_needs_a_running_server_and_leaves_it_running() {
    let place = Place::new();
    fs::create_dir(place.data_dir()).expect("data directory");
    let nothing = attach(place.data_dir()).await;
    assert!(matches!(nothing, Err(StartError::NotRunning { .. })), "{nothing:?}");

    let postgres = place.start().await;
    write_row(&mut connect(&postgres).await).await;
    assert_eq!(rows(place.data_dir()).await, 1);
    assert!(is_postgres(postgres.pid().expect("pid")));
    postgres.stop().await.expect("stopped");

    let stopped = attach(place.data_dir()).await;
    assert!(matches!(stopped, Err(StartError::NotRunning { .. })), "{stopped:?}");
    assert_eq!(place.recorded_pid(), None, "attaching started nothing");
}

#[tokio::test]
async fn an_ordinary_user_runs_the_server_as_itself() {
    if !is_root() {
        // Every other test here shows it.
        return;
    }
    const ORDINARY: u32 = 65_534;
    let place = Place::new();
    let program = place.root().join("service");
    fs::copy(std::env::current_exe().expect("own path"), &program).expect("copy");
    fs::create_dir(place.data_dir()).expect("data directory");
    std::os::unix::fs::chown(place.data_dir(), Some(ORDINARY), Some(ORDINARY)).expect("owner");
    let service = Service::start_as(place.data_dir(), &program, Some(ORDINARY));
    let server = fs::metadata(format!("/proc/{}", service.postmaster)).expect("process").uid();
    assert_eq!(server, ORDINARY);
    let postmaster = service.postmaster;
    assert!(service.finish().success());
    assert!(!is_postgres(postmaster));

    let postgres = place.start().await;
    let pid = postgres.pid().expect("pid");
    let server = fs::metadata(format!("/proc/{pid}")).expect("process").uid();
    assert_eq!(server, ORDINARY, "root runs a cluster as the user that made it");
    postgres.stop().await.expect("stopped");
}
