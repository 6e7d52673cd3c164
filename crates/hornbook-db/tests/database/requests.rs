//! Keys, idempotency, and a database that is not there.

use hornbook_db::idempotency::{self, Answer, Begun};
use hornbook_db::{Conflict, Db, DbError, keys};
use hornbook_types::{KeyQuota, Scope};

use crate::common::TestDb;

#[tokio::test]
async fn keys_are_made_found_used_and_revoked() {
    let test = TestDb::new().await;
    let db = &test.db;
    assert_eq!(keys::count(db).await.unwrap(), 0);
    let hash = [7; 32];
    keys::create(db, "abc", "laptop", &hash, &[Scope::Read, Scope::Write], &KeyQuota::default())
        .await
        .unwrap();
    let taken = keys::create(db, "abc", "other", &hash, &[Scope::Read], &KeyQuota::default()).await;
    assert!(matches!(taken, Err(DbError::Conflict(Conflict::Exists))), "{taken:?}");
    let found = keys::find(db, "abc").await.unwrap().unwrap();
    assert_eq!(
        (found.sha256, found.key.scopes.as_slice()),
        (hash, [Scope::Read, Scope::Write].as_slice())
    );
    assert_eq!((found.key.last_used_at, found.key.revoked_at), (None, None));
    assert!(!format!("{found:?}").contains("7, 7"), "the hash is not shown");

    keys::touch(db, "abc").await.unwrap();
    let first = keys::find(db, "abc").await.unwrap().unwrap().key.last_used_at.unwrap();
    keys::touch(db, "abc").await.unwrap();
    assert_eq!(keys::find(db, "abc").await.unwrap().unwrap().key.last_used_at, Some(first));

    keys::revoke(db, "abc").await.unwrap();
    let revoked = keys::find(db, "abc").await.unwrap().unwrap().key.revoked_at;
    assert!(revoked.is_some());
    keys::revoke(db, "abc").await.unwrap();
    assert_eq!(keys::find(db, "abc").await.unwrap().unwrap().key.revoked_at, revoked);
    assert_eq!(keys::count(db).await.unwrap(), 0);
    assert_eq!(keys::list(db, None, 10).await.unwrap().len(), 1);
    assert!(matches!(keys::revoke(db, "zzz").await, Err(DbError::NotFound(_))));
    assert!(keys::find(db, "zzz").await.unwrap().is_none());
}

#[tokio::test]
async fn a_request_is_done_once_and_answered_twice() {
    let test = TestDb::new().await;
    let db = &test.db;
    let begin = |key: &'static str, body: u8| async move {
        idempotency::begin(db, "POST /v1/jobs by abc", key, &[body; 32]).await.unwrap()
    };
    assert_eq!(begin("k", 1).await, Begun::New);
    assert_eq!(begin("k", 1).await, Begun::InProgress);
    assert_eq!(begin("k", 2).await, Begun::Reused);
    let answer = Answer {
        status: 201,
        headers: vec![("location".to_owned(), "/v1/jobs/1".to_owned())],
        body: b"{}".to_vec(),
    };
    idempotency::finish(db, "POST /v1/jobs by abc", "k", &answer).await.unwrap();
    assert_eq!(begin("k", 1).await, Begun::Stored(answer.clone()));
    assert_eq!(begin("k", 2).await, Begun::Reused);
    let other = idempotency::begin(db, "POST /v1/jobs by xyz", "k", &[1; 32]).await.unwrap();
    assert_eq!(other, Begun::New, "another asker's key is another key");

    assert_eq!(begin("f", 1).await, Begun::New);
    idempotency::forget(db, "POST /v1/jobs by abc", "f").await.unwrap();
    assert_eq!(begin("f", 2).await, Begun::New);

    // A request that died is not in progress for ever.
    test.sql("UPDATE idempotency_keys SET created_at = now() - interval '11 minutes'").await;
    assert_eq!(begin("f", 2).await, Begun::New);
    assert_eq!(begin("k", 1).await, Begun::Stored(answer), "an answer stays for a day");
    test.sql("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'").await;
    assert_eq!(begin("k", 3).await, Begun::New);
    assert_eq!(idempotency::purge(db).await.unwrap(), 2);
}

#[tokio::test]
async fn two_requests_at_once_begin_one() {
    let test = TestDb::new().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let db = test.db.clone();
        tasks.push(tokio::spawn(async move {
            idempotency::begin(&db, "scope", "key", &[1; 32]).await.unwrap()
        }));
    }
    let mut begun = 0;
    for task in tasks {
        begun += usize::from(task.await.unwrap() == Begun::New);
    }
    assert_eq!(begun, 1);
}

#[tokio::test]
async fn a_lost_connection_is_retryable_and_the_next_call_works() {
    let test = TestDb::new().await;
    test.db.ping().await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'hornbook'";
    test.sql(kill).await;
    // Pooled connections may be dead; each failure says so in a way that a caller can act on.
    let mut failures = 0;
    while let Err(error) = test.db.ping().await {
        assert!(error.is_retryable(), "{error}");
        failures += 1;
        assert!(failures < 20, "the pool never recovered");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass().socket(dir.path());
    let refused = Db::connect_with(options, 1).await;
    assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
    assert!(matches!(Db::connect("not a url", 1).await, Err(DbError::Other(_))));
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let test = TestDb::new().await;
    let (one, two) = tokio::join!(test.db.migrate(), test.db.migrate());
    one.unwrap();
    two.unwrap();
    test.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
              VALUES (9999, 'from the future', true, '', 0)",
    )
    .await;
    match test.db.migrate().await {
        Err(DbError::Other(message)) => assert!(message.contains("newer build"), "{message}"),
        other => panic!("{other:?}"),
    }
}
