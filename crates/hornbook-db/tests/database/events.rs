//! Events: numbered without gaps, whoever writes them, and heard by those who wait.

use std::time::Duration;

use hornbook_db::endpoints::Secret;
use hornbook_db::{Notifier, endpoints, events, jobs};
use hornbook_types::{EventKind, JobState, Slug};
use uuid::Uuid;

use crate::common::TestDb;
use crate::endpoints::openai;
use crate::fixtures::{accepted, claim, run_all, submitted};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_have_no_gap_under_concurrency() {
    let test = TestDb::new().await;
    let job = submitted(&test.db, 4).await;
    // A reader that follows the sequence must never see a number before the one below it.
    let (db, writers) = (test.db.clone(), 8);
    let reader = tokio::spawn(async move {
        let mut seen = 0;
        while seen < 1 + writers * 20 {
            for event in events::list(&db, job, seen, 7).await.unwrap() {
                assert_eq!(event.seq, seen + 1);
                seen = event.seq;
            }
        }
    });
    let mut tasks = Vec::new();
    for _ in 0..writers {
        let db = test.db.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                events::warning(&db, job, "slow", "the endpoint is slow").await.unwrap();
            }
            // Not every one of these wins, and those that lose draw no number.
            for _ in 0..10 {
                let _ = jobs::pause(&db, job).await;
                let _ = jobs::resume(&db, job).await;
                events::warning(&db, job, "slow", "the endpoint is slow").await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    reader.await.unwrap();
    let mut seqs = Vec::new();
    while let page = events::list(&test.db, job, seqs.len() as i64, 1_000).await.unwrap()
        && !page.is_empty()
    {
        seqs.extend(page.iter().map(|event| event.seq));
    }
    let expected: Vec<i64> = (1..=seqs.len() as i64).collect();
    assert_eq!(seqs, expected);
    assert_eq!(jobs::state(&test.db, job).await.unwrap().1, seqs.len() as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_is_told_once_until_it_gets_on() {
    let test = TestDb::new().await;
    let job = submitted(&test.db, 4).await;
    let tell = async || {
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let db = test.db.clone();
            tasks.push(tokio::spawn(async move {
                events::warn_once(&db, job, "waiting", "nobody is there").await.unwrap()
            }));
        }
        let mut told = 0;
        for task in tasks {
            told += usize::from(task.await.unwrap());
        }
        told
    };
    assert_eq!(tell().await, 1, "the last thing that happened was another");
    events::warning(&test.db, job, "slow", "the endpoint is slow").await.unwrap();
    assert_eq!(tell().await, 0, "another warning gets no job on");
    jobs::pause(&test.db, job).await.unwrap();
    assert_eq!(tell().await, 1, "it went on");
}

#[tokio::test]
async fn a_job_tells_its_whole_course() {
    let test = TestDb::new().await;
    let job = submitted(&test.db, 4).await;
    run_all(&test.db, accepted).await;
    let events = events::list(&test.db, job, 0, 100).await.unwrap();
    let course: Vec<_> = events
        .iter()
        .map(|event| (event.data["from"].as_str(), event.data["to"].as_str().unwrap()))
        .collect();
    assert_eq!(
        course,
        [(None, "queued"), (Some("queued"), "running"), (Some("running"), "assembling"),]
    );
}

#[tokio::test]
async fn progress_is_noted_at_most_once_a_second() {
    let test = TestDb::new().await;
    let job = submitted(&test.db, 40).await;
    let lease = claim(&test.db, Uuid::now_v7(), 40).await.unwrap();
    assert!(jobs::pace(&test.db, job).await.unwrap().is_none());
    hornbook_db::documents::commit_group(&test.db, &lease.key, &[accepted(0)], 0.0).await.unwrap();
    assert!(events::progress(&test.db, job).await.unwrap());
    assert!(!events::progress(&test.db, job).await.unwrap(), "too soon");
    test.sql("UPDATE job_events SET at = at - interval '2 seconds' WHERE kind = 'progress'").await;
    test.sql("UPDATE jobs SET last_progress_at = last_progress_at - interval '2 seconds'").await;
    let group: Vec<_> = (1..9).map(accepted).collect();
    hornbook_db::documents::commit_group(&test.db, &lease.key, &group, 0.0).await.unwrap();
    assert!(events::progress(&test.db, job).await.unwrap());
    let noted: Vec<_> = events::list(&test.db, job, 0, 100)
        .await
        .unwrap()
        .into_iter()
        .filter(|event| event.kind == EventKind::Progress)
        .collect();
    assert_eq!(noted.len(), 2);
    assert_eq!(noted[1].data["counts"]["accepted"], 9);
    assert_eq!(noted[1].data["counts"]["running"], 31);
    let series = jobs::series(&test.db, job, 100).await.unwrap();
    assert_eq!(series.iter().map(|point| point.ended).collect::<Vec<_>>(), [1, 9]);
    let pace = jobs::pace(&test.db, job).await.unwrap().unwrap();
    assert!(pace.documents_per_second > 1.0 && pace.documents_per_second <= 4.0, "{pace:?}");

    // A job that has run for hours reports more rarely.
    test.sql(
        "UPDATE jobs SET started_at = now() - interval '3 hours',
                last_progress_at = now() - interval '5 seconds'",
    )
    .await;
    assert!(!events::progress(&test.db, job).await.unwrap());
    test.sql("UPDATE jobs SET last_progress_at = now() - interval '31 seconds'").await;
    assert!(events::progress(&test.db, job).await.unwrap());
}

#[tokio::test]
async fn subscribers_hear_of_their_job_and_sleep_otherwise() {
    let test = TestDb::new().await;
    let (mine, other) = (submitted(&test.db, 4).await, submitted(&test.db, 4).await);
    let notifier = Notifier::start(&test.db);
    let mut subscription = notifier.subscribe();
    // The first hint says that listening has begun.
    assert!(subscription.changed(None, Duration::from_secs(20)).await);

    jobs::pause(&test.db, other).await.unwrap();
    assert!(!subscription.changed(Some(mine), Duration::from_millis(300)).await);
    let writer = test.another().await;
    jobs::pause(&writer, mine).await.unwrap();
    assert!(subscription.changed(Some(mine), Duration::from_secs(20)).await);
    assert_eq!(jobs::state(&test.db, mine).await.unwrap().0, JobState::Paused);

    // A broken connection is opened again, and says so by waking everyone.
    test.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .await;
    assert!(subscription.changed(None, Duration::from_secs(20)).await);
    // What came with the break may be heard first; the change must be heard after it.
    jobs::resume(&writer, mine).await.unwrap();
    assert!(subscription.changed(Some(mine), Duration::from_secs(20)).await);
    drop(notifier);
    assert!(!subscription.changed(Some(mine), Duration::from_millis(50)).await);
}

#[tokio::test]
async fn a_users_change_of_an_endpoint_wakes_those_who_wait_for_one() {
    let test = TestDb::new().await;
    let notifier = Notifier::start(&test.db);
    let (mut endpoints_news, mut jobs_news) = (notifier.subscribe(), notifier.subscribe());
    assert!(endpoints_news.endpoints_changed(Duration::from_secs(20)).await);
    assert!(jobs_news.changed(None, Duration::from_secs(20)).await);

    let name: Slug = "far".parse().unwrap();
    let long = Duration::from_secs(20);
    endpoints::put(&test.db, &name, &openai("https://far.example/v1"), Secret::Clear)
        .await
        .unwrap();
    assert!(endpoints_news.endpoints_changed(long).await, "made");
    endpoints::pause(&test.db, &name).await.unwrap();
    assert!(endpoints_news.endpoints_changed(long).await, "paused");
    endpoints::resume(&test.db, &name).await.unwrap();
    assert!(endpoints_news.endpoints_changed(long).await, "resumed");
    endpoints::delete(&test.db, &name).await.unwrap();
    assert!(endpoints_news.endpoints_changed(long).await, "deleted");
    assert!(!jobs_news.changed(None, Duration::from_millis(300)).await, "no job was touched");
    assert!(!endpoints_news.endpoints_changed(Duration::from_millis(50)).await);
}
