//! Assembly and publication: one owner at a time, one transaction, the last revisions kept.

use hornbook_db::{DbError, assembly, corpora, events, jobs};
use hornbook_types::{AssemblySpec, DedupMode, JobState};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, complete, failed, manifest, rejected, run_all, submitted};

#[tokio::test]
async fn a_published_corpus_ends_the_job() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    run_all(&test.db, accepted).await;
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_eq!((claimed.key.job_id, claimed.state), (id, JobState::Assembling));
    assert_eq!(claimed.assembly, None);
    assert!(assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().is_none(), "one at a time");
    assembly::heartbeat(&test.db, &claimed.key).await.unwrap();

    let (manifest, files) = manifest(id, 1, false);
    let published =
        corpora::publish(&test.db, &claimed.key, &manifest, &files, "corpora/one").await.unwrap();
    assert_eq!((published.revision, published.state), (1, JobState::Succeeded));
    assert!(published.pruned.is_empty());
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!(job.corpus.as_deref(), Some(manifest.content.commit.as_str()));
    assert!(!job.assembly_pending && job.finished_at.is_some());

    let corpus = corpora::by_job(&test.db, id).await.unwrap();
    assert_eq!((corpus.manifest, corpus.partial, corpus.revision), (manifest.clone(), false, 1));
    let found = corpora::file(&test.db, id, None, &files[0].path).await.unwrap();
    assert_eq!((found.file, found.location.as_str()), (files[0].clone(), "corpora/one"));
    let commit = Some(manifest.content.commit.as_str());
    assert_eq!(corpora::files(&test.db, id, commit).await.unwrap().len(), 2);
    for path in ["data", "../manifest.json", "/manifest.json", ""] {
        let missing = corpora::file(&test.db, id, None, path).await;
        assert!(matches!(missing, Err(DbError::NotFound("file"))), "{path}");
    }
    let listed = corpora::list(&test.db, None, 10).await.unwrap();
    assert_eq!((listed[0].job_id, listed[0].rows, listed[0].tokens), (id, 3, 33));

    let again = corpora::publish(&test.db, &claimed.key, &manifest, &files, "corpora/one").await;
    assert!(matches!(again, Err(DbError::Fenced)), "{again:?}");
}

#[tokio::test]
async fn failures_among_the_prompts_are_said_at_the_end() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    run_all(&test.db, |seq| if seq == 3 { failed(seq, "timeout") } else { rejected(seq, "empty") })
        .await;
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    let (manifest, files) = manifest(id, 1, false);
    let published =
        corpora::publish(&test.db, &claimed.key, &manifest, &files, "corpora/one").await.unwrap();
    assert_eq!(published.state, JobState::SucceededWithErrors);
}

#[tokio::test]
async fn a_lost_assembly_is_taken_over_and_its_first_owner_fenced() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 4).await;
    run_all(&test.db, accepted).await;
    let old = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    test.sql("UPDATE jobs SET assembly_expires_at = now() - interval '1 second'").await;
    let new = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_ne!(old.key, new.key);
    let (manifest, files) = manifest(id, 1, false);
    let late = corpora::publish(&test.db, &old.key, &manifest, &files, "corpora/one").await;
    assert!(matches!(late, Err(DbError::Fenced)), "{late:?}");
    assert!(matches!(assembly::heartbeat(&test.db, &old.key).await, Err(DbError::Fenced)));
    assert!(matches!(assembly::fail(&test.db, &old.key, "x").await, Err(DbError::Fenced)));
    assert!(matches!(corpora::by_job(&test.db, id).await, Err(DbError::NotFound("corpus"))));
    corpora::publish(&test.db, &new.key, &manifest, &files, "corpora/one").await.unwrap();
    assert_eq!(jobs::state(&test.db, id).await.unwrap().0, JobState::Succeeded);
}

#[tokio::test]
async fn an_assembly_that_kills_its_owners_fails() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 4).await;
    run_all(&test.db, accepted).await;
    for _ in 0..4 {
        assert!(assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().is_some());
        test.sql("UPDATE jobs SET assembly_expires_at = now() - interval '1 second'").await;
    }
    assert!(assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().is_none());
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!(
        (job.state, job.error.unwrap().code.as_str()),
        (JobState::Failed, "assembly_failed")
    );
}

#[tokio::test]
async fn a_failed_assembly_is_retried_alone() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    run_all(&test.db, |seq| if seq == 3 { failed(seq, "timeout") } else { accepted(seq) }).await;
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    let state = assembly::fail(&test.db, &claimed.key, "disk full").await.unwrap();
    assert_eq!(state, JobState::Failed);
    let error = jobs::get(&test.db, id).await.unwrap().error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("assembly_failed", "disk full"));
    assert!(assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().is_none());

    let retried = jobs::retry(&test.db, id, None).await.unwrap();
    assert_eq!((retried.requeued, retried.state), (0, JobState::Assembling));
    assert_eq!(jobs::get(&test.db, id).await.unwrap().error, None);
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assembly::fail(&test.db, &claimed.key, "disk full").await.unwrap();
    // With codes, the prompts are meant.
    let retried = jobs::retry(&test.db, id, Some(&["timeout".to_owned()])).await.unwrap();
    assert_eq!((retried.requeued, retried.state), (1, JobState::Running));
}

#[tokio::test]
async fn a_partial_corpus_on_request_leaves_the_job_running() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 16).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    complete(&test.db, &lease, accepted).await;
    assert!(assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().is_none());
    let other = AssemblySpec { dedup: DedupMode::None, ..AssemblySpec::default() };
    assembly::request(&test.db, id, Some(&other)).await.unwrap();
    let partial = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_eq!((partial.state, partial.assembly), (JobState::Running, Some(other)));

    // The job's last prompt ends while that is under way: the partial corpus must not end the job.
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    assert_eq!(complete(&test.db, &lease, accepted).await, JobState::Assembling);
    let (first, files) = manifest(id, 1, true);
    let published =
        corpora::publish(&test.db, &partial.key, &first, &files, "corpora/one").await.unwrap();
    assert_eq!(published.state, JobState::Assembling);

    let whole = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_eq!((whole.state, whole.assembly), (JobState::Assembling, None), "the job's own spec");
    let (second, files) = manifest(id, 2, false);
    let published =
        corpora::publish(&test.db, &whole.key, &second, &files, "corpora/two").await.unwrap();
    assert_eq!((published.revision, published.state), (2, JobState::Succeeded));
    assert!(corpora::revision(&test.db, id, &first.content.commit).await.unwrap().partial);
}

#[tokio::test]
async fn a_request_that_fails_warns_and_changes_no_state() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    assembly::request(&test.db, id, None).await.unwrap();
    let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
    assert_eq!(
        assembly::fail(&test.db, &claimed.key, "disk full").await.unwrap(),
        JobState::Queued
    );
    let last = events::list(&test.db, id, 1, 10).await.unwrap().pop().unwrap();
    assert_eq!(last.data["code"], "assembly_failed");
    assert!(assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().is_none());
    let missing = assembly::request(&test.db, Uuid::now_v7(), None).await;
    assert!(matches!(missing, Err(DbError::NotFound("job"))));
}

#[tokio::test]
async fn handing_an_assembly_back_is_no_death() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 4).await;
    run_all(&test.db, accepted).await;
    for _ in 0..6 {
        let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
        assembly::release(&test.db, &claimed.key).await.unwrap();
    }
    assert_eq!(jobs::state(&test.db, id).await.unwrap().0, JobState::Assembling);
}

#[tokio::test]
async fn old_revisions_go_and_the_same_commit_comes_back() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 4).await;
    run_all(&test.db, accepted).await;
    let mut gone = Vec::new();
    for commit in [1, 2, 3, 4, 5, 6, 4] {
        assembly::request(&test.db, id, None).await.unwrap();
        let claimed = assembly::claim(&test.db, Uuid::now_v7()).await.unwrap().unwrap();
        let (manifest, files) = manifest(id, commit, false);
        let location = format!("corpora/{commit}");
        let published =
            corpora::publish(&test.db, &claimed.key, &manifest, &files, &location).await.unwrap();
        gone.extend(published.pruned.into_iter().map(|pruned| pruned.location));
    }
    assert_eq!(gone, ["corpora/1", "corpora/2"]);
    let kept = corpora::revisions(&test.db, id).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|corpus| corpus.location.as_str()).collect();
    assert_eq!(kept, ["corpora/4", "corpora/6", "corpora/5", "corpora/3"]);
    assert_eq!(corpora::by_job(&test.db, id).await.unwrap().location, "corpora/4");
    assert_eq!(test.number("SELECT count(*) FROM corpus_files").await, 8);
}
