//! Mixed corpora: one owner at a time, one transaction, revisions of their own beside those of jobs.

use hornbook_db::corpora::{self, Owner, mixed};
use hornbook_db::{DbError, workers};
use hornbook_types::{
    CorpusFile, CorpusSpec, CorpusState, MixSource, MixedContent, MixedManifest, MixedRun,
};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::common::TestDb;

fn spec(name: &str) -> CorpusSpec {
    let source = MixSource {
        name: Some("ponds".to_owned()),
        job: Some(Uuid::from_u128(1)),
        weight: Some(0.7),
        ..MixSource::default()
    };
    CorpusSpec { name: name.to_owned(), sources: vec![source], ..CorpusSpec::default() }
}

async fn submitted(test: &TestDb, name: &str) -> Uuid {
    let id = Uuid::now_v7();
    mixed::submit(&test.db, id, &spec(name)).await.unwrap();
    id
}

fn manifest(id: Uuid, commit_byte: u8) -> (MixedManifest, Vec<CorpusFile>) {
    let file = |path: &str, rows| CorpusFile {
        path: path.to_owned(),
        bytes: 12,
        sha256: "ab".repeat(32),
        rows,
        tokens: None,
    };
    let data = file("data/train-00000-of-00001.parquet", Some(3));
    let content = MixedContent {
        commit: format!("{commit_byte:02x}").repeat(20),
        spec_digest: "cd".repeat(32),
        partial: false,
        rows: 3,
        tokens: 33,
        files: vec![data.clone()],
        spec: Value::Null,
        counts: Default::default(),
        more: Map::from_iter([("token_counts".to_owned(), Value::from("own"))]),
    };
    let run = MixedRun {
        corpus: id,
        hornbook: "0.1.0".to_owned(),
        submitted_at: OffsetDateTime::UNIX_EPOCH,
        assembled_at: OffsetDateTime::UNIX_EPOCH,
        sources: spec("n").sources,
    };
    (MixedManifest { content, run }, vec![data, file("manifest.json", None)])
}

async fn state(test: &TestDb, id: Uuid) -> CorpusState {
    mixed::get(&test.db, id).await.unwrap().state
}

#[tokio::test]
async fn a_mixed_corpus_is_claimed_once_and_published() {
    let test = TestDb::new().await;
    let id = submitted(&test, "mix").await;
    assert_eq!(state(&test, id).await, CorpusState::Queued);
    let claimed = mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_eq!((claimed.key.id, &claimed.spec), (id, &spec("mix")));
    assert!(mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().is_none(), "one at a time");
    assert_eq!(state(&test, id).await, CorpusState::Assembling);
    mixed::heartbeat(&test.db, &claimed.key).await.unwrap();

    let (manifest, files) = manifest(id, 1);
    mixed::publish(&test.db, &claimed.key, &manifest, &files, "corpora/m").await.unwrap();
    let now = mixed::get(&test.db, id).await.unwrap();
    assert_eq!((now.state, now.error), (CorpusState::Ready, None));
    let published = now.published.unwrap();
    assert_eq!((published.rows, published.tokens, published.partial), (3, 33, false));
    assert_eq!(mixed::by_id(&test.db, id).await.unwrap().manifest, manifest);

    let owner = Owner::Mixed(id);
    let found = corpora::file(&test.db, owner, None, &files[0].path).await.unwrap();
    assert_eq!((found.file, found.location.as_str()), (files[0].clone(), "corpora/m"));
    assert_eq!(corpora::files(&test.db, owner, None).await.unwrap().len(), 2);
    // A job of that id does not exist, whatever else does.
    let as_job = corpora::file(&test.db, id, None, &files[0].path).await;
    assert!(matches!(as_job, Err(DbError::NotFound("file"))), "{as_job:?}");
    assert!(corpora::list(&test.db, None, 10).await.unwrap().is_empty());

    let again = mixed::publish(&test.db, &claimed.key, &manifest, &files, "corpora/m").await;
    assert!(matches!(again, Err(DbError::Fenced)), "{again:?}");
}

#[tokio::test]
async fn a_dead_assemblers_lease_is_taken_over_and_fenced() {
    let test = TestDb::new().await;
    let id = submitted(&test, "mix").await;
    let dead = Uuid::now_v7();
    workers::register(&test.db, dead, "here").await.unwrap();
    let old = mixed::claim(&test.db, dead).await.unwrap().unwrap();
    let successor = Uuid::now_v7();
    assert_eq!(workers::register(&test.db, successor, "here").await.unwrap(), 1);
    let new = mixed::claim(&test.db, successor).await.unwrap().unwrap();
    assert_ne!(old.key, new.key);
    let (manifest, files) = manifest(id, 1);
    let late = mixed::publish(&test.db, &old.key, &manifest, &files, "corpora/m").await;
    assert!(matches!(late, Err(DbError::Fenced)), "{late:?}");
    assert!(matches!(mixed::heartbeat(&test.db, &old.key).await, Err(DbError::Fenced)));
    assert!(matches!(mixed::fail(&test.db, &old.key, "x", "y").await, Err(DbError::Fenced)));
    mixed::publish(&test.db, &new.key, &manifest, &files, "corpora/m").await.unwrap();
    assert_eq!(state(&test, id).await, CorpusState::Ready);
}

#[tokio::test]
async fn one_that_kills_its_assemblers_fails_by_name() {
    let test = TestDb::new().await;
    let id = submitted(&test, "mix").await;
    let mut claims = 0;
    while mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().is_some() {
        claims += 1;
        test.sql("UPDATE mixed_corpora SET assembly_expires_at = now() - interval '1 second'")
            .await;
    }
    assert_eq!(claims, hornbook_db::limits::ASSEMBLY_DEATHS + 1);
    let failed = mixed::get(&test.db, id).await.unwrap();
    assert_eq!(failed.state, CorpusState::Failed);
    assert_eq!(failed.error.unwrap().0, "worker_lost");
    // Asked again, it is tried again.
    mixed::request(&test.db, id, None).await.unwrap();
    assert_eq!(state(&test, id).await, CorpusState::Queued);
    assert!(mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_asked_meanwhile_is_done_afterwards() {
    let test = TestDb::new().await;
    let id = submitted(&test, "mix").await;
    let first = mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    let plain = serde_json::from_str(r#"{"dedup": "none"}"#).unwrap();
    mixed::request(&test.db, id, Some(&plain)).await.unwrap();
    let (one, files) = manifest(id, 1);
    mixed::publish(&test.db, &first.key, &one, &files, "corpora/1").await.unwrap();
    assert_eq!(state(&test, id).await, CorpusState::Queued);
    for commit in 2..=5 {
        let next = mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
        assert_eq!(next.spec.assembly, plain);
        let (manifest, files) = manifest(id, commit);
        let place = format!("corpora/{commit}");
        let pruned = mixed::publish(&test.db, &next.key, &manifest, &files, &place).await.unwrap();
        let gone: Vec<&str> = pruned.iter().map(|it| it.location.as_str()).collect();
        assert_eq!(gone, if commit == 5 { vec!["corpora/1"] } else { vec![] });
        mixed::request(&test.db, id, None).await.unwrap();
    }
    let commit = "02".repeat(20);
    assert_eq!(mixed::revision(&test.db, id, &commit).await.unwrap().revision, 2);
    assert_eq!(mixed::by_id(&test.db, id).await.unwrap().revision, 5);
}

#[tokio::test]
async fn a_deleted_one_is_hidden_at_once_and_removed_when_nobody_works_on_it() {
    let test = TestDb::new().await;
    let (gone, stays) = (submitted(&test, "gone").await, submitted(&test, "stays").await);
    let claimed = mixed::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_eq!(claimed.key.id, gone);
    mixed::delete(&test.db, gone).await.unwrap();
    assert!(matches!(mixed::get(&test.db, gone).await, Err(DbError::NotFound("corpus"))));
    assert!(matches!(mixed::delete(&test.db, gone).await, Err(DbError::NotFound(_))));
    assert!(matches!(mixed::heartbeat(&test.db, &claimed.key).await, Err(DbError::Fenced)));
    assert_eq!(mixed::next_purge(&test.db).await.unwrap(), None, "somebody works on it");
    mixed::release(&test.db, &claimed.key).await.unwrap();
    assert_eq!(mixed::next_purge(&test.db).await.unwrap(), Some(gone));
    assert!(mixed::finish_purge(&test.db, stays).await.is_err());
    mixed::finish_purge(&test.db, gone).await.unwrap();
    assert_eq!(test.number("SELECT count(*) FROM mixed_corpora").await, 1);
    let listed = mixed::list(&test.db, None, Some(CorpusState::Queued), 10).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [stays]);
    assert!(mixed::list(&test.db, Some(stays), None, 10).await.unwrap().is_empty());
}
