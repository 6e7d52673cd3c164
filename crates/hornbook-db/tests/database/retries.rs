//! Retrying: chosen failures run again, and nothing is counted twice.

use hornbook_db::{Conflict, DbError, chunks, documents, jobs};
use hornbook_types::{JobState, Verdict};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, failed, rejected, run_all, submitted};

fn mixed(seq: u64) -> hornbook_types::Document {
    match seq % 4 {
        0 => failed(seq, "http_500"),
        1 => rejected(seq, "too_short"),
        2 => failed(seq, "timeout"),
        _ => accepted(seq),
    }
}

#[tokio::test]
async fn chosen_failures_run_again_and_count_once() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 40).await;
    run_all(&test.db, mixed).await;
    // As if the corpus had been published.
    crate::fixtures::force_state(&test, id, JobState::SucceededWithErrors).await;

    let retried = jobs::retry(&test.db, id, Some(&["timeout".to_owned()])).await.unwrap();
    assert_eq!((retried.requeued, retried.state), (10, JobState::Running));
    let counts = jobs::counts(&test.db, id).await.unwrap().counts;
    assert_eq!((counts.accepted, counts.rejected, counts.failed), (10, 10, 10));
    assert!(jobs::cells(&test.db, id).await.unwrap().iter().all(|cell| cell.reason != "timeout"));
    assert_eq!(jobs::errors(&test.db, id, 9).await.unwrap().len(), 1);

    let lease = claim(&test.db, Uuid::now_v7(), 16).await.unwrap();
    assert_eq!((lease.attempt, lease.deaths, lease.fresh), (1, 0, false));
    let todo = chunks::missing(&test.db, id, lease.lo, lease.hi).await.unwrap();
    assert!(todo.iter().all(|seq| seq % 4 == 2), "{todo:?}");
    chunks::release(&test.db, lease.key.token).await.unwrap();

    run_all(&test.db, accepted).await;
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!(job.state, JobState::Assembling);
    let counts = job.counts;
    assert_eq!((counts.accepted, counts.rejected, counts.failed), (20, 10, 10));
    let cells = jobs::cells(&test.db, id).await.unwrap();
    assert_eq!(cells.iter().map(|cell| cell.count).sum::<u64>(), 40);
}

#[tokio::test]
async fn a_retry_without_anything_to_run_changes_nothing() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    run_all(&test.db, mixed).await;
    crate::fixtures::force_state(&test, id, JobState::SucceededWithErrors).await;
    let before = jobs::get(&test.db, id).await.unwrap();
    let retried = jobs::retry(&test.db, id, Some(&["no_such_code".to_owned()])).await.unwrap();
    assert_eq!((retried.requeued, retried.state), (0, JobState::SucceededWithErrors));
    assert_eq!(jobs::get(&test.db, id).await.unwrap(), before);
}

#[tokio::test]
async fn a_retry_that_was_cut_off_is_finished_by_the_next() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 32).await;
    run_all(&test.db, |seq| failed(seq, "http_500")).await;
    assert_eq!(jobs::state(&test.db, id).await.unwrap().0, JobState::Failed);
    jobs::retry(&test.db, id, None).await.unwrap();
    // As if the process had died between the last chunk and the change of state.
    crate::fixtures::force_state(&test, id, JobState::Failed).await;
    let retried = jobs::retry(&test.db, id, None).await.unwrap();
    assert_eq!((retried.requeued, retried.state), (0, JobState::Running));
    run_all(&test.db, accepted).await;
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!((job.state, job.counts.accepted), (JobState::Assembling, 32));
}

#[tokio::test]
async fn two_retries_at_once_requeue_each_prompt_once() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 64).await;
    run_all(&test.db, |seq| failed(seq, "http_500")).await;
    let (one, two) = tokio::join!(jobs::retry(&test.db, id, None), jobs::retry(&test.db, id, None));
    let requeued = |outcome: &Result<jobs::Retried, DbError>| match outcome {
        Ok(retried) => retried.requeued,
        Err(DbError::Conflict(Conflict::State { .. })) => 0,
        Err(other) => panic!("{other}"),
    };
    assert!(one.is_ok() || two.is_ok());
    assert!(requeued(&one) + requeued(&two) <= 64);
    run_all(&test.db, accepted).await;
    // What the losing one did not get to is still failed, and nothing is lost.
    let counts = jobs::counts(&test.db, id).await.unwrap().counts;
    assert_eq!(counts.ended(), 64);
    let failures = documents::Filter { verdict: Some(Verdict::Failed), ..Default::default() };
    let rows = documents::page(&test.db, id, &failures, None, 100).await.unwrap();
    assert_eq!(rows.len() as u64, counts.failed);
}
