//! Leases: who works on which prompts, and who may not any more.

use std::collections::BTreeSet;

use hornbook_db::chunks::{self, Finished};
use hornbook_db::{DbError, documents, jobs, leases, workers};
use hornbook_types::{JobState, Slug};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, complete, spec, submitted};

#[tokio::test]
async fn many_workers_claim_every_prompt_once() {
    let test = TestDb::new().await;
    let first = submitted(&test.db, 333).await;
    let second = submitted(&test.db, 77).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let db = test.db.clone();
        tasks.push(tokio::spawn(async move {
            let worker = Uuid::now_v7();
            let mut mine = Vec::new();
            while let Some(lease) = claim(&db, worker, 7).await {
                mine.extend((lease.lo..lease.hi).map(|seq| (lease.key.job_id, seq)));
            }
            mine
        }));
    }
    let mut seen = BTreeSet::new();
    let mut shares = 0;
    for task in tasks {
        let mine = task.await.unwrap();
        shares += usize::from(!mine.is_empty());
        for prompt in mine {
            assert!(seen.insert(prompt), "{prompt:?} was leased twice");
        }
    }
    assert_eq!(seen.iter().filter(|(job, _)| *job == first).count(), 333);
    assert_eq!(seen.iter().filter(|(job, _)| *job == second).count(), 77);
    assert!(shares > 1, "one worker took everything");
    assert_eq!(jobs::state(&test.db, first).await.unwrap().0, JobState::Running);
    let job = jobs::get(&test.db, first).await.unwrap();
    assert_eq!(job.counts.running, 333);
    assert!(job.started_at.is_some());
}

#[tokio::test]
async fn jobs_take_turns_and_priority_goes_first() {
    let test = TestDb::new().await;
    let worker = Uuid::now_v7();
    let low = [submitted(&test.db, 40).await, submitted(&test.db, 40).await];
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(claim(&test.db, worker, 10).await.unwrap().key.job_id);
    }
    assert_eq!(order, [low[0], low[1], low[0], low[1]]);
    let high = Uuid::now_v7();
    let urgent = hornbook_types::PinnedJobSpec { priority: 5, ..spec(12) };
    jobs::submit(&test.db, high, &urgent).await.unwrap();
    let leases = [
        claim(&test.db, worker, 6).await.unwrap(),
        claim(&test.db, worker, 6).await.unwrap(),
        claim(&test.db, worker, 6).await.unwrap(),
    ];
    assert_eq!(leases[0].key.job_id, high);
    assert_eq!((leases[1].key.job_id, leases[1].lo, leases[1].hi), (high, 6, 12));
    assert_eq!(leases[2].key.job_id, low[0]);
}

#[tokio::test]
async fn a_worker_is_offered_only_what_its_endpoints_serve() {
    let test = TestDb::new().await;
    let worker = Uuid::now_v7();
    let id = Uuid::now_v7();
    let remote: Slug = "remote".parse().unwrap();
    let spec = hornbook_types::PinnedJobSpec { endpoints: vec![remote], ..spec(10) };
    jobs::submit(&test.db, id, &spec).await.unwrap();
    assert!(claim(&test.db, worker, 10).await.is_none());
    assert!(!jobs::runnable(&test.db, &["local".to_owned()]).await.unwrap());
    let both = ["local".to_owned(), "remote".to_owned()];
    assert!(jobs::runnable(&test.db, &both).await.unwrap());
    assert!(chunks::claim(&test.db, worker, &both, 10).await.unwrap().is_some());
}

#[tokio::test]
async fn an_owner_that_lost_its_lease_writes_nothing() {
    let test = TestDb::new().await;
    let (slow, quick) = (Uuid::now_v7(), Uuid::now_v7());
    let id = submitted(&test.db, 8).await;
    let old = claim(&test.db, slow, 8).await.unwrap();
    documents::commit_group(&test.db, &old.key, &[accepted(0), accepted(3)], 0.0).await.unwrap();
    test.expire_leases().await;

    // Expired, though nobody has it yet.
    let late = documents::commit_group(&test.db, &old.key, &[accepted(1)], 0.0).await;
    assert!(matches!(late, Err(DbError::Fenced)), "{late:?}");
    assert!(leases::heartbeat(&test.db, slow, &[old.key.token]).await.unwrap().is_empty());

    let new = claim(&test.db, quick, 8).await.unwrap();
    assert_eq!((new.lo, new.hi, new.fresh, new.deaths), (0, 8, false, 1));
    assert_ne!(new.key.token, old.key.token);
    assert_eq!(chunks::missing(&test.db, id, 0, 8).await.unwrap(), [1, 2, 4, 5, 6, 7]);

    for outcome in [
        documents::commit_group(&test.db, &old.key, &[accepted(1)], 0.0).await.map(|_| ()),
        chunks::finish(&test.db, &old.key).await.map(|_| ()),
        chunks::release(&test.db, old.key.token).await,
    ] {
        assert!(matches!(outcome, Err(DbError::Fenced)), "{outcome:?}");
    }
    assert_eq!(test.number("SELECT count(*) FROM documents").await, 2);
    assert_eq!(complete(&test.db, &new, accepted).await, JobState::Assembling);
    assert_eq!(jobs::counts(&test.db, id).await.unwrap().counts.accepted, 8);
}

#[tokio::test]
async fn deaths_count_only_owners_that_stored_nothing() {
    let test = TestDb::new().await;
    let worker = Uuid::now_v7();
    submitted(&test.db, 8).await;
    let mut lease = claim(&test.db, worker, 8).await.unwrap();
    for seq in 0..5 {
        documents::commit_group(&test.db, &lease.key, &[accepted(seq)], 0.0).await.unwrap();
        test.expire_leases().await;
        lease = claim(&test.db, worker, 8).await.unwrap();
        assert_eq!(lease.deaths, 1, "the owner before this one had stored something");
    }
    for deaths in 2..=3 {
        test.expire_leases().await;
        lease = claim(&test.db, worker, 8).await.unwrap();
        assert_eq!(lease.deaths, deaths);
    }
    // One prompt at a time from here on: a stored document no longer clears its name.
    documents::commit_group(&test.db, &lease.key, &[accepted(5)], 0.0).await.unwrap();
    test.expire_leases().await;
    assert_eq!(claim(&test.db, worker, 8).await.unwrap().deaths, 4);
}

#[tokio::test]
async fn handing_back_is_no_death_and_a_swept_lease_is_one() {
    let test = TestDb::new().await;
    let worker = Uuid::now_v7();
    submitted(&test.db, 8).await;
    let lease = claim(&test.db, worker, 8).await.unwrap();
    chunks::release(&test.db, lease.key.token).await.unwrap();
    let lease = claim(&test.db, worker, 8).await.unwrap();
    assert_eq!((lease.lo, lease.hi, lease.deaths), (0, 8, 0));
    test.expire_leases().await;
    let swept = hornbook_db::janitor::sweep(&test.db).await.unwrap();
    assert_eq!(swept.chunks, 1);
    assert_eq!(claim(&test.db, worker, 8).await.unwrap().deaths, 1);
}

#[tokio::test]
async fn a_heartbeat_keeps_leases_and_brings_news() {
    let test = TestDb::new().await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    workers::register(&test.db, one, "").await.unwrap();
    let id = submitted(&test.db, 30).await;
    let first = claim(&test.db, one, 10).await.unwrap();
    let second = claim(&test.db, one, 10).await.unwrap();
    let foreign = claim(&test.db, other, 10).await.unwrap();
    test.sql("UPDATE job_chunks SET lease_expires_at = now() + interval '2 seconds'").await;
    test.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour'").await;

    let tokens = [first.key.token, second.key.token, foreign.key.token];
    jobs::pause(&test.db, id).await.unwrap();
    let mut held = leases::heartbeat(&test.db, one, &tokens).await.unwrap();
    held.sort_by_key(|held| held.token);
    let named: Vec<_> = held.iter().map(|held| held.token).collect();
    assert_eq!(named, [first.key.token, second.key.token], "another's lease is not kept");
    assert!(held.iter().all(|held| held.job_id == id && held.state == JobState::Paused));
    let extended =
        "SELECT count(*) FROM job_chunks WHERE lease_expires_at > now() + interval '20 seconds'";
    assert_eq!(test.number(extended).await, 2);
    assert_eq!(workers::list(&test.db, 60).await.unwrap().len(), 1, "the worker is alive");
}

#[tokio::test]
async fn a_restarted_service_takes_over_its_own_leases_at_once() {
    let test = TestDb::new().await;
    let (dead, alive, stranger) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    workers::register(&test.db, dead, "data-dir-7").await.unwrap();
    workers::register(&test.db, stranger, "").await.unwrap();
    // Two chunks: the rest is divided between the two.
    submitted(&test.db, 8).await;
    let mine = claim(&test.db, dead, 10).await.unwrap();
    let theirs = claim(&test.db, stranger, 10).await.unwrap();
    assert!(claim(&test.db, alive, 10).await.is_none());

    assert_eq!(workers::register(&test.db, alive, "data-dir-7").await.unwrap(), 1);
    let taken = claim(&test.db, alive, 10).await.unwrap();
    assert_eq!((taken.lo, taken.hi), (mine.lo, mine.hi));
    assert!(claim(&test.db, alive, 10).await.is_none(), "the stranger's lease is its own");
    assert_eq!(leases::heartbeat(&test.db, stranger, &[theirs.key.token]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_chunk_is_finished_only_when_it_is_whole() {
    let test = TestDb::new().await;
    let id = submitted(&test.db, 12).await;
    let lease = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    documents::commit_group(&test.db, &lease.key, &[accepted(2)], 0.0).await.unwrap();
    assert_eq!(chunks::finish(&test.db, &lease.key).await.unwrap(), Finished::Missing(7));
    let spans = chunks::open(&test.db, id).await.unwrap();
    assert_eq!(spans.iter().map(|span| (span.lo, span.hi)).collect::<Vec<_>>(), [(0, 8), (8, 12)]);
    assert_eq!(complete(&test.db, &lease, accepted).await, JobState::Running);
    let spans = chunks::open(&test.db, id).await.unwrap();
    assert_eq!(spans.iter().map(|span| (span.lo, span.hi)).collect::<Vec<_>>(), [(8, 12)]);
    let last = claim(&test.db, Uuid::now_v7(), 8).await.unwrap();
    assert_eq!((last.lo, last.hi), (8, 12));
    assert_eq!(complete(&test.db, &last, accepted).await, JobState::Assembling);
}
