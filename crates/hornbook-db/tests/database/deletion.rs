//! Deleting jobs: gone at once, removed in batches, files first.

use hornbook_db::{DbError, assembly, corpora, documents, jobs};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, manifest, run_all, submitted};

#[tokio::test]
async fn a_deleted_job_is_gone_at_once_and_removed_in_batches() {
    let test = TestDb::new().await;
    let kept = submitted(&test.db, 6).await;
    run_all(&test.db, accepted).await;
    let kept_assembly = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assembly::release(&test.db, &kept_assembly.key).await.unwrap();
    test.sql("UPDATE jobs SET assembly_done = assembly_request").await;

    let id = submitted(&test.db, 6).await;
    run_all(&test.db, accepted).await;
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    let (manifest, files) = manifest(id, 1, false);
    corpora::publish(&test.db, &claimed.key, &manifest, &files, "corpora/one").await.unwrap();
    // More documents than one batch takes.
    test.sql(&format!(
        "INSERT INTO documents SELECT (d).* FROM (
             SELECT jsonb_populate_record(d, jsonb_build_object('seq', s)) AS d
               FROM documents AS d, generate_series(100, 6100) AS s
              WHERE d.job_id = '{id}' AND d.seq = 0) AS copies"
    ))
    .await;

    jobs::delete(&test.db, id).await.unwrap();
    for outcome in [
        jobs::get(&test.db, id).await.map(|_| ()),
        jobs::spec(&test.db, id).await.map(|_| ()),
        jobs::delete(&test.db, id).await,
        jobs::retry(&test.db, id, None).await.map(|_| ()),
        corpora::by_job(&test.db, id).await.map(|_| ()),
        corpora::file(&test.db, id, None, "manifest.json").await.map(|_| ()),
        documents::get(&test.db, id, 0).await.map(|_| ()),
        assembly::request(&test.db, id, None).await,
    ] {
        assert!(matches!(outcome, Err(DbError::NotFound(_))), "{outcome:?}");
    }
    assert!(jobs::list(&test.db, None, None, 10).await.unwrap().iter().all(|job| job.id != id));
    assert!(corpora::list(&test.db, None, 10).await.unwrap().is_empty());

    let purge = jobs::next_purge(&test.db).await.unwrap().unwrap();
    assert_eq!((purge.job_id, purge.locations), (id, vec!["corpora/one".to_owned()]));
    let mut batches = Vec::new();
    loop {
        match jobs::purge_documents(&test.db, id).await.unwrap() {
            0 => break,
            rows => batches.push(rows),
        }
    }
    assert_eq!(batches[..2], [5_000, 1_007], "in batches");
    jobs::finish_purge(&test.db, id).await.unwrap();
    assert_eq!(jobs::next_purge(&test.db).await.unwrap(), None);
    for table in ["documents", "job_events", "job_chunks", "job_cells", "corpora"] {
        let count = format!("SELECT count(*) FROM {table} WHERE job_id = '{id}'");
        assert_eq!(test.number(&count).await, 0, "{table}");
    }
    assert_eq!(test.number("SELECT count(*) FROM corpus_files").await, 0);
    assert_eq!(jobs::counts(&test.db, kept).await.unwrap().counts.accepted, 6, "others stay");
}

#[tokio::test]
async fn nobody_stores_documents_of_a_deleted_job() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 6).await;
    let lease = claim(&test.db, Uuid::now_v7(), 6).await.unwrap();
    jobs::fail(&test.db, id, "no_seeds", "the seed set is gone").await.unwrap();
    documents::commit_group(&test.db, &lease.key, &[accepted(0)], 0.0).await.unwrap();
    jobs::delete(&test.db, id).await.unwrap();
    let late = documents::commit_group(&test.db, &lease.key, &[accepted(1)], 0.0).await;
    assert!(matches!(late, Err(DbError::Fenced)), "{late:?}");
}

#[tokio::test]
async fn only_a_deleted_job_is_removed() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 6).await;
    run_all(&test.db, accepted).await;
    assert_eq!(jobs::next_purge(&test.db).await.unwrap(), None);
    assert_eq!(jobs::purge_documents(&test.db, id).await.unwrap(), 0);
    assert!(matches!(jobs::finish_purge(&test.db, id).await, Err(DbError::NotFound(_))));
    assert_eq!(test.number("SELECT count(*) FROM documents").await, 6);
}

#[tokio::test]
async fn an_assembler_at_work_is_waited_for() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 6).await;
    jobs::cancel(&test.db, id).await.unwrap();
    assembly::request(&test.db, id, None).await.unwrap();
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    jobs::delete(&test.db, id).await.unwrap();
    assert_eq!(jobs::next_purge(&test.db).await.unwrap(), None);
    assert!(matches!(assembly::heartbeat(&test.db, &claimed.key).await, Err(DbError::Fenced)));
    let (manifest, files) = manifest(id, 1, true);
    let late = corpora::publish(&test.db, &claimed.key, &manifest, &files, "corpora/one").await;
    assert!(matches!(late, Err(DbError::Fenced)), "{late:?}");
    assembly::release(&test.db, &claimed.key).await.unwrap();
    assert_eq!(jobs::next_purge(&test.db).await.unwrap().unwrap().job_id, id);
}
