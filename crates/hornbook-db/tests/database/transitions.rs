//! The transition table: every action in every state.

use hornbook_db::{Conflict, DbError, janitor, jobs};
use hornbook_types::{EventKind, JobAction, JobState};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{
    accepted, claim, complete, failed, force_state, rejected, run_all, submitted,
};

const ACTIONS: [JobAction; 5] =
    [JobAction::Pause, JobAction::Resume, JobAction::Cancel, JobAction::Retry, JobAction::Delete];

/// Where an allowed action leads a job that was never started and has no failed prompt.
fn leads_to(action: JobAction) -> JobState {
    match action {
        JobAction::Pause => JobState::Paused,
        JobAction::Resume => JobState::Queued,
        // No worker holds a prompt of it, so there is nothing to wait for.
        JobAction::Cancel => JobState::Cancelled,
        JobAction::Retry => JobState::Running,
        JobAction::Delete => unreachable!("a deleted job has no state"),
    }
}

#[tokio::test]
async fn every_action_in_every_state() {
    let test = TestDb::new().await;
    for state in JobState::ALL {
        for action in ACTIONS {
            let id = submitted(&test.db, 4).await;
            force_state(&test, id, state).await;
            let before = jobs::state(&test.db, id).await.unwrap().1;
            let outcome = jobs::act(&test.db, id, action).await;
            let what = format!("{} in {}", action.as_str(), state.as_str());
            if action.is_done_in(state) {
                assert_eq!(outcome.unwrap().state, state, "{what}");
                assert_eq!(jobs::state(&test.db, id).await.unwrap().1, before, "{what}: no event");
            } else if !state.allowed().contains(&action) {
                match outcome {
                    Err(DbError::Conflict(Conflict::State { found, action: asked })) => {
                        assert_eq!((found, asked), (state, action), "{what}");
                    }
                    other => panic!("{what}: {other:?}"),
                }
                assert_eq!(jobs::state(&test.db, id).await.unwrap(), (state, before), "{what}");
            } else if action == JobAction::Delete {
                outcome.unwrap();
                assert!(
                    matches!(jobs::get(&test.db, id).await, Err(DbError::NotFound(_))),
                    "{what}"
                );
            } else {
                assert_eq!(outcome.unwrap().state, leads_to(action), "{what}");
                let (_, after) = jobs::state(&test.db, id).await.unwrap();
                assert!(after > before, "{what}: an event tells of it");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_job_is_not_found() {
    let test = TestDb::new().await;
    for action in ACTIONS {
        let outcome = jobs::act(&test.db, Uuid::now_v7(), action).await;
        assert!(matches!(outcome, Err(DbError::NotFound("job"))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_paused_job_stores_what_is_in_flight_and_moves_on_when_resumed() {
    let test = TestDb::new().await;
    let worker = Uuid::now_v7();
    let id = submitted(&test.db, 16).await;
    let lease = claim(&test.db, worker, 8).await.unwrap();
    jobs::pause(&test.db, id).await.unwrap();
    assert!(claim(&test.db, worker, 8).await.is_none(), "nothing more is sent");
    assert_eq!(complete(&test.db, &lease, accepted).await, JobState::Paused);
    assert_eq!(jobs::resume(&test.db, id).await.unwrap().state, JobState::Running);

    let lease = claim(&test.db, worker, 8).await.unwrap();
    jobs::pause(&test.db, id).await.unwrap();
    assert_eq!(complete(&test.db, &lease, accepted).await, JobState::Paused, "though all ended");
    assert_eq!(jobs::resume(&test.db, id).await.unwrap().state, JobState::Assembling);
}

#[tokio::test]
async fn a_cancelled_job_waits_for_its_leases_and_keeps_what_is_done() {
    let test = TestDb::new().await;
    let worker = Uuid::now_v7();
    let id = submitted(&test.db, 30).await;
    let first = claim(&test.db, worker, 10).await.unwrap();
    let second = claim(&test.db, worker, 10).await.unwrap();
    assert_eq!(jobs::cancel(&test.db, id).await.unwrap().state, JobState::Cancelling);
    assert_eq!(complete(&test.db, &first, accepted).await, JobState::Cancelling);
    hornbook_db::chunks::release(&test.db, second.key.token).await.unwrap();
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!((job.state, job.counts.accepted), (JobState::Cancelled, 10));
    assert!(job.finished_at.is_some());
    assert!(job.assembly_pending, "what was accepted makes a partial corpus");
    assert!(claim(&test.db, worker, 10).await.is_none());

    // It goes on where it stopped.
    assert_eq!(jobs::retry(&test.db, id, None).await.unwrap().state, JobState::Running);
    run_all(&test.db, accepted).await;
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!((job.state, job.counts.accepted), (JobState::Assembling, 30));
}

#[tokio::test]
async fn the_janitor_ends_a_cancelled_job_whose_worker_died() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 8).await;
    claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    jobs::cancel(&test.db, id).await.unwrap();
    janitor::sweep(&test.db).await.unwrap();
    assert_eq!(jobs::state(&test.db, id).await.unwrap().0, JobState::Cancelling);
    test.expire_leases().await;
    let swept = janitor::sweep(&test.db).await.unwrap();
    assert_eq!((swept.chunks, swept.jobs), (1, 1));
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!((job.state, job.assembly_pending), (JobState::Cancelled, false));
}

#[tokio::test]
async fn the_janitor_moves_on_a_job_that_nobody_moved_on() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 4).await;
    run_all(&test.db, accepted).await;
    force_state(&test, id, JobState::Running).await;
    assert_eq!(janitor::sweep(&test.db).await.unwrap().jobs, 1);
    assert_eq!(jobs::state(&test.db, id).await.unwrap().0, JobState::Assembling);
    assert_eq!(janitor::sweep(&test.db).await.unwrap().jobs, 0);
}

#[tokio::test]
async fn a_job_fails_when_every_prompt_fails_and_only_then() {
    let test = TestDb::new().await;
    let all = submitted(&test.db, 6).await;
    run_all(&test.db, |seq| failed(seq, if seq < 4 { "http_500" } else { "timeout" })).await;
    let job = jobs::get(&test.db, all).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert!(!job.assembly_pending);
    let error = job.error.unwrap();
    assert_eq!(error.code, jobs::EVERY_PROMPT_FAILED);
    assert_eq!(
        error.message,
        "http_500 (4): http_500 said the endpoint; timeout (2): timeout said the endpoint"
    );
    let events = hornbook_db::events::list(&test.db, all, 0, 100).await.unwrap();
    let last = events.last().unwrap();
    assert_eq!(last.kind, EventKind::State);
    assert_eq!(last.data["to"], "failed");
    assert_eq!(last.data["code"], jobs::EVERY_PROMPT_FAILED);

    let most = submitted(&test.db, 6).await;
    run_all(&test.db, |seq| if seq == 0 { rejected(seq, "empty") } else { failed(seq, "x") }).await;
    assert_eq!(jobs::state(&test.db, most).await.unwrap().0, JobState::Assembling);
}

#[tokio::test]
async fn a_job_that_cannot_go_on_is_failed_once() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 16).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    complete(&test.db, &lease, accepted).await;
    assert!(jobs::fail(&test.db, id, "no_seeds", "the seed set is gone").await.unwrap());
    assert!(!jobs::fail(&test.db, id, "no_seeds", "the seed set is gone").await.unwrap());
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!((job.state, job.assembly_pending), (JobState::Failed, true));
    assert_eq!(job.error.unwrap().code, "no_seeds");
    let retried = jobs::retry(&test.db, id, None).await.unwrap();
    assert_eq!(retried.state, JobState::Running);
    let job = jobs::get(&test.db, id).await.unwrap();
    assert_eq!((job.error, job.finished_at), (None, None));
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_stable_pages() {
    let test = TestDb::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(submitted(&test.db, 4).await);
    }
    jobs::pause(&test.db, ids[2]).await.unwrap();
    let page = jobs::list(&test.db, None, None, 2).await.unwrap();
    submitted(&test.db, 4).await;
    let rest = jobs::list(&test.db, Some(page[1].id), None, 10).await.unwrap();
    let listed: Vec<_> = page.iter().chain(&rest).map(|job| job.id).collect();
    ids.reverse();
    assert_eq!(listed, ids);
    let paused = jobs::list(&test.db, None, Some(JobState::Paused), 10).await.unwrap();
    assert_eq!(paused.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2]]);
    assert_eq!(jobs::spec(&test.db, ids[0]).await.unwrap(), crate::fixtures::spec(4));
}
