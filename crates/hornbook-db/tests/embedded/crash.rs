//! `kill -9` of the postmaster, with and without a service that watches.

use rustix::process::Signal;
use sqlx::{ConnectOptions, PgConnection};

use crate::support::{Place, Service, connect, is_postgres, rows, send, until, write_row};

/// Waits until the server of `postgres` is another process than `old`.
async fn restarted(postgres: &hornbook_db::embedded::Postgres, old: u32) -> u32 {
    until("the server was restarted", || postgres.pid().is_some_and(|pid| pid != old)).await;
    postgres.pid().expect("pid")
}

#[tokio::test]
async fn a_killed_postmaster_is_started_again_with_everything_in_it() {
    let place = Place::new();
    let postgres = place.start().await;
    let options = postgres.options();
    let mut connection: PgConnection = connect(&postgres).await;
    let mut pid = postgres.pid().expect("pid");
    for round in 1..=3 {
        write_row(&mut connection).await;
        send(pid, Signal::KILL);
        pid = restarted(&postgres, pid).await;
        connection = options.connect().await.expect("the same options still fit");
        assert_eq!(rows(place.data_dir()).await, round);
    }
    postgres.stop().await.expect("stopped");
    assert!(!is_postgres(pid));
}

#[tokio::test]
async fn a_server_that_somebody_else_stopped_is_started_again() {
    let place = Place::new();
    let postgres = place.start().await;
    let pid = postgres.pid().expect("pid");
    send(pid, Signal::INT);
    restarted(&postgres, pid).await;
    connect(&postgres).await;
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn an_adopted_postmaster_is_watched_too() {
    let place = Place::new();
    let mut service = Service::start(place.data_dir());
    service.kill();
    let postgres = place.start().await;
    write_row(&mut connect(&postgres).await).await;
    send(service.postmaster, Signal::KILL);
    restarted(&postgres, service.postmaster).await;
    assert_eq!(rows(place.data_dir()).await, 1);
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn service_and_postmaster_killed_together_leave_nothing_that_stops_the_next_start() {
    let place = Place::new();
    let mut service = Service::start(place.data_dir());
    let options = hornbook_db::embedded::attach(place.data_dir()).await.expect("attached");
    let mut busy = options.connect().await.expect("connection");
    write_row(&mut busy).await;
    service.kill();
    send(service.postmaster, Signal::KILL);

    let postgres = place.start().await;
    assert_ne!(postgres.pid(), Some(service.postmaster));
    assert_eq!(rows(place.data_dir()).await, 1);
    postgres.stop().await.expect("stopped");
}
