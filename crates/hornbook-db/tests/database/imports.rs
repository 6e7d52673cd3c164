//! Imports and benchmarks: immutable versions, leases, and what is left of what failed.

use hornbook_db::benchmarks::{self, BenchmarkContent};
use hornbook_db::imports::{self, ImportContent, NewImport};
use hornbook_db::{DbError, Expect};
use hornbook_types::{CorpusFile, ImportKind, ImportOrigin, ImportState, Redistribution};
use serde_json::json;
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::slug;

fn content(rows: u64) -> ImportContent {
    let file = CorpusFile {
        path: "part-00000.parquet".to_owned(),
        bytes: 10 * rows,
        sha256: format!("{rows:064x}"),
        rows: Some(rows),
        tokens: None,
    };
    ImportContent {
        sha256: ImportContent::digest(std::slice::from_ref(&file)),
        rows,
        text_bytes: 100 * rows,
        tokens: 25 * rows,
        files: vec![file],
    }
}

fn new(origin: ImportOrigin, license: &str) -> NewImport {
    NewImport {
        origin,
        license: license.to_owned(),
        source: Some("by hand".to_owned()),
        text_column: "text".to_owned(),
    }
}

fn upload() -> ImportOrigin {
    ImportOrigin::Upload { media_type: "text/csv".to_owned() }
}

fn hub() -> ImportOrigin {
    ImportOrigin::Hub {
        hub: "org/name".to_owned(),
        config: "default".to_owned(),
        split: "train".to_owned(),
        revision: "main".to_owned(),
        commit: None,
    }
}

#[tokio::test]
async fn the_same_upload_is_the_same_version() {
    let test = TestDb::new().await;
    let (db, name) = (&test.db, slug("web"));
    let store = |license: &'static str, rows: u64| {
        let name = name.clone();
        async move {
            let new = new(upload(), license);
            let stored = imports::store(db, Uuid::now_v7(), &name, &new, &content(rows)).await;
            let (pinned, stored) = stored.unwrap();
            (pinned.to_string(), stored.created)
        }
    };
    assert_eq!(store("CC0-1.0", 3).await, ("web@1".to_owned(), true));
    assert_eq!(store("CC0-1.0", 3).await, ("web@1".to_owned(), false));
    assert_eq!(store("CC-BY-ND-4.0", 3).await, ("web@2".to_owned(), true));
    let old = imports::get(db, &"web@1".parse().unwrap()).await.unwrap();
    assert_eq!((old.state, old.content.clone()), (ImportState::Ready, content(3)));
    assert_eq!(old.redistribution, Redistribution::Allowed);
    assert_eq!(old.location, format!("imports/{}", old.id));
    assert_eq!(imports::by_id(db, old.id).await.unwrap(), old);
    let new = imports::get(db, &"web".parse().unwrap()).await.unwrap();
    assert_eq!((new.pinned.version, new.redistribution), (2, Redistribution::Forbidden));
    let listed = imports::list(db, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.pinned.to_string()).collect::<Vec<_>>(), ["web@2"]);
    assert!(imports::list(db, Some(&name), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_worker_imports_is_leased_noted_and_finished_once() {
    let test = TestDb::new().await;
    let (db, name, worker) = (&test.db, slug("edu"), Uuid::now_v7());
    let wanted = new(hub(), "odc-by-1.0");
    let first = imports::request(db, Uuid::now_v7(), &name, &wanted).await.unwrap();
    let again = imports::request(db, Uuid::now_v7(), &name, &wanted).await.unwrap();
    assert_eq!((first.0, first.1.created, again.1.created), (again.0, true, false));
    let claim = async |kind| imports::claim(db, worker, &[kind]).await.unwrap();
    assert_eq!(claim(ImportKind::Path).await, None, "another kind");
    let claimed = claim(ImportKind::Hub).await.unwrap();
    assert_eq!(claim(ImportKind::Hub).await, None, "one owner at a time");
    let ImportOrigin::Hub { hub, config, split, revision, .. } = hub() else { panic!() };
    let commit = Some("ab".repeat(20));
    let found = ImportOrigin::Hub { hub, config, split, revision, commit };
    imports::note(db, &claimed.key, &found, &json!({ "rows": 7, "files": [] })).await.unwrap();
    let seen = imports::get(db, &"edu".parse().unwrap()).await.unwrap();
    assert_eq!((seen.state, seen.rows_so_far, &seen.origin), (ImportState::Importing, 7, &found));
    // Asked again while the commit is known, it still is the same request.
    let again = imports::request(db, Uuid::now_v7(), &name, &wanted).await.unwrap();
    assert!(!again.1.created);

    imports::release(db, &claimed.key).await.unwrap();
    let next = claim(ImportKind::Hub).await.unwrap();
    assert_eq!(next.progress, Some(json!({ "rows": 7, "files": [] })));
    let stale = imports::finish(db, &claimed.key, &content(9)).await;
    assert!(matches!(stale, Err(DbError::Fenced)), "{stale:?}");
    imports::heartbeat(db, &next.key).await.unwrap();
    imports::finish(db, &next.key, &content(9)).await.unwrap();
    assert!(matches!(imports::fail(db, &next.key, "late").await, Err(DbError::Fenced)));
    let ready = imports::get(db, &"edu".parse().unwrap()).await.unwrap();
    assert_eq!(
        (ready.state, ready.rows_so_far, ready.content),
        (ImportState::Ready, 9, content(9))
    );
    // What is ready stays; the next request is the next version.
    let next = imports::request(db, Uuid::now_v7(), &name, &wanted).await.unwrap();
    assert_eq!((next.0.to_string().as_str(), next.1.created), ("edu@2", true));
}

#[tokio::test]
async fn a_failed_version_gives_its_number_up() {
    let test = TestDb::new().await;
    let (db, name, worker) = (&test.db, slug("edu"), Uuid::now_v7());
    let wanted = new(hub(), "mit");
    let first = Uuid::now_v7();
    imports::request(db, first, &name, &wanted).await.unwrap();
    let claimed = imports::claim(db, worker, &[ImportKind::Hub]).await.unwrap().unwrap();
    imports::fail(db, &claimed.key, "a.parquet: record 3: U+0000 in 'te\0xt'").await.unwrap();
    let failed = imports::get(db, &"edu".parse().unwrap()).await.unwrap();
    assert_eq!(failed.error.as_deref(), Some("a.parquet: record 3: U+0000 in 'te\u{fffd}xt'"));
    let (pinned, stored) = imports::request(db, Uuid::now_v7(), &name, &wanted).await.unwrap();
    assert_eq!((pinned.to_string().as_str(), stored.created), ("edu@1", true));
    let purge = imports::next_purge(db).await.unwrap().unwrap();
    assert_eq!((purge.id, purge.location), (first, imports::location(first)));
    imports::finish_purge(db, first).await.unwrap();
    assert_eq!(imports::next_purge(db).await.unwrap(), None);

    // Workers that die on it one after the other make it fail, too.
    let mut owners = 0;
    while imports::claim(db, worker, &[ImportKind::Hub]).await.unwrap().is_some() {
        owners += 1;
        test.sql("UPDATE imports SET lease_expires_at = now() - interval '1 second'").await;
    }
    let failed = imports::get(db, &"edu".parse().unwrap()).await.unwrap();
    assert_eq!((owners, failed.state), (4, ImportState::Failed));
    imports::delete(db, &"edu".parse().unwrap()).await.unwrap();
    let gone = imports::delete(db, &"edu".parse().unwrap()).await;
    assert!(matches!(gone, Err(DbError::NotFound("import"))), "{gone:?}");
}

#[tokio::test]
async fn a_deleted_import_takes_the_lease_from_its_worker() {
    let test = TestDb::new().await;
    let (db, worker) = (&test.db, Uuid::now_v7());
    imports::request(db, Uuid::now_v7(), &slug("edu"), &new(hub(), "mit")).await.unwrap();
    let claimed = imports::claim(db, worker, &[ImportKind::Hub]).await.unwrap().unwrap();
    imports::delete(db, &"edu@1".parse().unwrap()).await.unwrap();
    assert!(matches!(imports::heartbeat(db, &claimed.key).await, Err(DbError::Fenced)));
    assert!(matches!(imports::finish(db, &claimed.key, &content(1)).await, Err(DbError::Fenced)));
    assert_eq!(imports::next_purge(db).await.unwrap(), None, "its worker may still be storing");
    imports::release(db, &claimed.key).await.unwrap();
    assert_eq!(imports::next_purge(db).await.unwrap().map(|it| it.id), Some(claimed.key.id));
}

#[tokio::test]
async fn a_benchmark_has_versions() {
    let test = TestDb::new().await;
    let (db, name) = (&test.db, slug("humaneval"));
    let content = |sha256: &str| BenchmarkContent {
        sha256: sha256.to_owned(),
        items: 164,
        bytes: 9,
        location: format!("benchmarks/{sha256}.jsonl"),
    };
    let put = async |sha256, expect| {
        benchmarks::put(db, &name, &content(sha256), expect)
            .await
            .map(|(pinned, stored)| (pinned.to_string(), stored.created))
    };
    assert_eq!(put("a", Expect::Any).await.unwrap(), ("humaneval@1".to_owned(), true));
    assert_eq!(put("a", Expect::Any).await.unwrap(), ("humaneval@1".to_owned(), false));
    assert!(matches!(put("b", Expect::Latest(7)).await, Err(DbError::Conflict(_))));
    assert_eq!(put("b", Expect::Latest(1)).await.unwrap(), ("humaneval@2".to_owned(), true));
    let latest = benchmarks::get(db, &"humaneval".parse().unwrap()).await.unwrap();
    assert_eq!(latest.content, content("b"));
    let first = benchmarks::get(db, &"humaneval@1".parse().unwrap()).await.unwrap();
    assert_eq!(first.content, content("a"));
    assert_eq!(benchmarks::list(db, None, 5).await.unwrap(), [latest]);
}
