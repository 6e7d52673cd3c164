//! What users ask of a job under way, and what an operator asks of a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hornbook_db::jobs;
use hornbook_inference::ErrorClass;
use hornbook_types::JobState;

use crate::endpoint::{Scripted, story};
use crate::house::{House, every_seq, spec, until};

const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn pausing_stops_sending_and_keeps_what_is_in_flight() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold();
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    jobs::pause(&house.db, job).await.unwrap();
    house.until_heard().await;
    scripted.release();
    let paused = until("the leases to end", async || {
        let job = house.job(job).await;
        (job.counts.running == 0).then_some(job)
    })
    .await;
    assert_eq!((paused.state, paused.counts.ended()), (JobState::Paused, 4));
    assert_eq!(scripted.requests(), 4);
    jobs::resume(&house.db, job).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(40));
    assert_eq!(scripted.requests(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_paused_job_nothing_is_tried_again() {
    let is_up = Arc::new(AtomicBool::new(false));
    let looked = Arc::clone(&is_up);
    let scripted = Scripted::new(4, move |request| match looked.load(Ordering::SeqCst) {
        true => Ok(story(request.input.last())),
        false => Err((ErrorClass::Transient, "http_500")),
    });
    let mut house = House::new(&[("remote", &scripted)]).await;
    house.is_limited = true;
    scripted.hold();
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    jobs::pause(&house.db, job).await.unwrap();
    house.until_heard().await;
    scripted.release();
    let paused = until("the leases to end", async || {
        let job = house.job(job).await;
        (job.counts.running == 0).then_some(job)
    })
    .await;
    assert_eq!((paused.state, paused.counts.ended()), (JobState::Paused, 0), "none has failed");
    assert_eq!(scripted.requests(), 4);
    is_up.store(true, Ordering::SeqCst);
    jobs::resume(&house.db, job).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!((house.seqs(job).await, scripted.requests()), (every_seq(40), 44));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_awaits_remote_answers_and_publishes_a_partial_corpus() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold();
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    let asked = jobs::cancel(&house.db, job).await.unwrap();
    assert_eq!(asked.state, JobState::Cancelling);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(house.job(job).await.state, JobState::Cancelling, "remote answers are awaited");
    scripted.release();
    let ended = house.until(job, JobState::Cancelled).await;
    assert_eq!(ended.counts.accepted, 4);
    assert_eq!((scripted.requests(), *scripted.cancelled.borrow()), (4, 0));
    let manifest = house.checked_corpus(job).await;
    assert_eq!((manifest.content.partial, manifest.content.rows), (true, 4));

    jobs::retry(&house.db, job, None).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(40));
    let manifest = house.checked_corpus(job).await;
    assert_eq!((manifest.content.partial, manifest.content.rows), (false, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_local_answers_at_once() {
    let scripted = Scripted::writer(3);
    let house = House::new(&[("local", &scripted)]).await;
    scripted.hold();
    let job = house.submit(&spec(40, &["local"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(3).await;
    jobs::cancel(&house.db, job).await.unwrap();
    // The endpoint is never released: only cancellation can end its answers.
    let ended = house.until(job, JobState::Cancelled).await;
    assert_eq!(ended.counts.ended(), 0);
    assert_eq!(*scripted.cancelled.borrow(), 3);
    assert_eq!(ended.corpus, None, "nothing was accepted, so there is nothing to assemble");
    worker.shutdown(DRAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_hands_back_what_it_cannot_finish() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold();
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    worker.shutdown(Duration::ZERO).await;
    assert_eq!(*scripted.cancelled.borrow(), 4);
    let query = "SELECT count(*) FROM job_chunks WHERE state <> 'requeued' OR deaths > 0";
    assert_eq!(house.test_db.number(query).await, 0, "handed back, and nobody died");
    assert_eq!(house.test_db.number("SELECT count(*) FROM workers").await, 0);

    scripted.release();
    let next = house.worker("b").await;
    house.until(job, JobState::Succeeded).await;
    next.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_finishes_what_comes_back_in_time() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold();
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    scripted.until_waiting(4).await;
    let stopping = tokio::spawn(worker.shutdown(Duration::from_secs(60)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    scripted.release();
    stopping.await.unwrap();
    assert_eq!((house.seqs(job).await.len(), scripted.requests()), (4, 4));
    assert_eq!(house.job(job).await.counts.running, 0);
}
