//! Data directories in awkward places, and machines without the right binaries.

use std::fs;

use hornbook_db::embedded::{Postgres, Search, StartError};

use crate::support::{Place, chmod, connect, is_root, mode};

#[tokio::test]
async fn a_parent_that_the_servers_user_cannot_enter_is_named() {
    let place = Place::with_path("closed/data");
    let closed = place.root().join("closed");
    fs::create_dir_all(place.data_dir()).expect("data directory");
    // Root enters everything, but its server is another user; anybody else is kept out only by 0.
    chmod(&closed, if is_root() { 0o700 } else { 0 });
    let error = Postgres::start(&place.config()).await.expect_err("a closed parent");
    let text = error.to_string();
    chmod(&closed, 0o711);
    let named = format!("{} ", closed.canonicalize().expect("real path").display());
    assert!(text.replace([',', ';'], " ").contains(&named), "{text}");

    place.start().await.stop().await.expect("an opened parent will do");
}

#[tokio::test]
async fn a_missing_data_directory_is_made_with_its_parents() {
    let place = Place::with_path("one/two/three");
    place.start().await.stop().await.expect("stopped");
    assert!(place.pgdata().is_dir());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_directory_beside_it() {
    let place =
        Place::with_path(&format!("{}/{}", "long".repeat(20), "path, with \"signs\"".repeat(5)));
    let postgres = place.start().await;
    let socket_dir = postgres.socket_dir().to_path_buf();
    assert!(!socket_dir.starts_with(place.root()));
    assert!(socket_dir.join(".s.PGSQL.5432").as_os_str().len() < 107);
    assert_eq!(mode(&socket_dir), 0o700);
    connect(&postgres).await;
    hornbook_db::embedded::attach(place.data_dir()).await.expect("found from beside");
    postgres.stop().await.expect("stopped");

    let postgres = place.start().await;
    assert_eq!(postgres.socket_dir(), socket_dir, "the place was written down");
    postgres.stop().await.expect("stopped");
    fs::remove_dir(&socket_dir).expect("empty after a stop");
}

#[tokio::test]
async fn the_runtime_directory_is_preferred_for_a_short_socket() {
    let place = Place::with_path(&"long/".repeat(25));
    let runtime = tempfile::tempdir().expect("runtime directory");
    chmod(runtime.path(), 0o711);
    let mut config = place.config();
    config.runtime_dir = Some(runtime.path().to_path_buf());
    let postgres = Postgres::start(&config).await.expect("postgres starts");
    assert!(postgres.socket_dir().starts_with(runtime.path()));
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn path_signs_that_the_server_would_read_as_syntax_are_harmless() {
    let place = Place::with_path("a, \"b\" 'c'");
    let postgres = place.start().await;
    assert!(postgres.socket_dir().starts_with(place.data_dir().canonicalize().expect("real path")));
    connect(&postgres).await;
    postgres.stop().await.expect("stopped");
}

#[tokio::test]
async fn no_binaries_is_an_error_that_says_what_to_install() {
    let place = Place::new();
    let mut config = place.config();
    config.search = Search {
        explicit: None,
        path: Some(place.root().into()),
        system_roots: vec![place.root().to_path_buf()],
    };
    let error = Postgres::start(&config).await.expect_err("no binaries");
    assert!(matches!(error, StartError::NoBinaries { .. }), "{error:?}");
    assert!(error.to_string().contains("install the package postgresql"), "{error}");
}

#[tokio::test]
async fn a_cluster_of_another_version_is_left_alone() {
    let place = Place::new();
    place.start().await.stop().await.expect("stopped");
    fs::write(place.pgdata().join("PG_VERSION"), "9\n").expect("version");
    match Postgres::start(&place.config()).await {
        Err(StartError::VersionMismatch { cluster: 9, .. }) => {}
        other => panic!("expected a version mismatch, got {other:?}"),
    }
}

#[tokio::test]
async fn a_damaged_cluster_is_never_made_anew() {
    let place = Place::new();
    place.start().await.stop().await.expect("stopped");
    fs::remove_file(place.pgdata().join("PG_VERSION")).expect("version");
    let error = Postgres::start(&place.config()).await.expect_err("a damaged cluster");
    assert!(matches!(error, StartError::File { .. }), "{error:?}");
    assert!(place.pgdata().join("global").is_dir());
}
