//! Several workers, several endpoints, one job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hornbook_db::{endpoints, events};
use hornbook_inference::ErrorClass;
use hornbook_types::{EndpointState, JobState};

use crate::endpoint::{Scripted, story};
use crate::house::{House, every_seq, slug, spec, until};

const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_a_job_and_no_prompt_is_sent_twice() {
    let scripted = Scripted::writer(5);
    let house = House::new(&[("remote", &scripted)]).await;
    let (a, b) = (house.worker("a").await, house.worker("b").await);
    // Fifty topics in two lines of at most fifty prompts: no prompt of the job equals another.
    let job = house.submit(&spec(60, &["remote"])).await;
    house.until(job, JobState::Succeeded).await;
    a.shutdown(DRAIN).await;
    b.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(60));
    assert_eq!(scripted.requests(), 60);
    assert!(scripted.asked().values().all(|&times| times == 1), "{:?}", scripted.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_the_local_engine_is_not_offered_its_jobs() {
    let (local, remote) = (Scripted::writer(2), Scripted::writer(2));
    let house = House::new(&[("local", &local), ("remote", &remote)]).await;
    let needs_local = house.submit(&spec(8, &["local"])).await;
    let anywhere = house.submit(&spec(8, &["remote"])).await;
    let without = house.worker_with("a", false).await;
    house.until(anywhere, JobState::Succeeded).await;
    assert_eq!(house.job(needs_local).await.state, JobState::Queued);
    let with = house.worker_with("b", true).await;
    house.until(needs_local, JobState::Succeeded).await;
    without.shutdown(DRAIN).await;
    with.shutdown(DRAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_only_a_person_can_mend_is_paused_and_another_goes_on() {
    let refused = Scripted::new(2, |_| Err((ErrorClass::Endpoint, "http_401")));
    let good = Scripted::writer(2);
    let house = House::new(&[("refused", &refused), ("good", &good)]).await;
    let job = house.submit(&spec(12, &["refused", "good"])).await;
    // The good one begins only when the other has failed, so that the failure is seen.
    good.hold();
    let worker = house.worker("a").await;
    let endpoint = until("the pause", async || {
        let endpoint = endpoints::get(&house.db, &slug("refused")).await.ok()?;
        (endpoint.state == EndpointState::Paused).then_some(endpoint)
    })
    .await;
    assert!(endpoint.message.unwrap().contains("http_401"));
    good.release();
    let ended = house.until(job, JobState::Succeeded).await;
    assert_eq!(ended.counts.accepted, 12, "no prompt failed because of an endpoint");
    worker.shutdown(DRAIN).await;
    let events = events::list(&house.db, job, 0, 1_000).await.unwrap();
    assert!(events.iter().any(|event| event.data["code"] == "endpoint_paused"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_an_endpoint_waits_and_says_so() {
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = std::sync::Arc::clone(&broken);
    let scripted = Scripted::new(2, move |request| {
        match is_broken.load(std::sync::atomic::Ordering::SeqCst) {
            true => Err((ErrorClass::Endpoint, "insufficient_quota")),
            false => Ok(story(request.input.last())),
        }
    });
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(8, &["remote"])).await;
    let worker = house.worker("a").await;
    let warning = until("the warning", async || {
        let events = events::list(&house.db, job, 0, 1_000).await.ok()?;
        events.into_iter().find(|event| event.data["code"] == "no_endpoint_ready")
    })
    .await;
    assert!(warning.data["message"].as_str().unwrap().contains("insufficient_quota"));
    let waiting = house.job(job).await;
    assert_eq!((waiting.state, waiting.counts.ended()), (JobState::Running, 0));
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    endpoints::resume(&house.db, &slug("remote")).await.unwrap();
    let ended = house.until(job, JobState::Succeeded).await;
    assert_eq!(ended.counts.accepted, 8);
    worker.shutdown(DRAIN).await;
    let events = events::list(&house.db, job, 0, 1_000).await.unwrap();
    let warned = events.iter().filter(|event| event.data["code"] == "no_endpoint_ready").count();
    assert_eq!(warned, 1, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_endpoint_is_down_is_told_so_and_loses_no_prompt() {
    let is_up = Arc::new(AtomicBool::new(false));
    let looked = Arc::clone(&is_up);
    let scripted = Scripted::new(4, move |request| match looked.load(Ordering::SeqCst) {
        true => Ok(story(request.input.last())),
        false => Err((ErrorClass::Transient, "connect")),
    });
    let mut house = House::new(&[("remote", &scripted)]).await;
    house.is_limited = true;
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    let told = until("the job to be told", async || {
        let events = events::list(&house.db, job, 0, 1_000).await.ok()?;
        events.into_iter().find(|event| event.data["code"] == "no_endpoint_answers")
    })
    .await;
    let message = told.data["message"].as_str().unwrap();
    assert!(message.contains("remote is down (connect: the script said connect)"), "{message}");
    assert_eq!(house.job(job).await.counts.ended(), 0, "nobody gave a prompt up");
    // Eight failures, and a probe now and then.
    assert!(scripted.requests() <= 16, "{} requests", scripted.requests());
    is_up.store(true, Ordering::SeqCst);
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(40));
    let events = events::list(&house.db, job, 0, 1_000).await.unwrap();
    let told = events.iter().filter(|event| event.data["code"] == "no_endpoint_answers").count();
    assert_eq!(told, 1, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_fails_only_when_every_endpoint_that_answers_has_tried_it() {
    let broken = |_: &_| Err((ErrorClass::Transient, "http_500"));
    let (bad, worse) = (Scripted::new(8, broken), Scripted::new(8, broken));
    // By the time that it has a place, the others have tried everything.
    let good =
        Scripted::slow(1, |_| Duration::from_millis(30), |request| Ok(story(request.input.last())));
    let house = House::new(&[("bad", &bad), ("worse", &worse), ("good", &good)]).await;
    let job = house.submit(&spec(24, &["bad", "worse", "good"])).await;
    let hopeless = house.submit(&spec(8, &["bad", "worse"])).await;
    let worker = house.worker("a").await;
    let ended = house.until(job, JobState::Succeeded).await;
    assert_eq!((ended.counts.accepted, good.requests()), (24, 24), "nobody failed unasked");
    let failed = house.until(hopeless, JobState::Failed).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(failed.counts.failed, 8);
    let often = |endpoint: &Scripted| endpoint.asked().into_values().any(|times| times > 2);
    assert!(!often(&bad) && !often(&worse), "once for each of the jobs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_way_to_an_endpoint_hands_its_prompts_to_those_who_have_one() {
    let good = Scripted::writer(4);
    let unreachable = Scripted::new(4, |_| Err((ErrorClass::Transient, "connect")));
    let mut house = House::new(&[("remote", &good)]).await;
    house.is_limited = true;
    let job = house.submit(&spec(40, &["remote"])).await;
    let cut_off = house.worker_seeing("a", "remote", &unreachable).await;
    until("the one to be asked in vain", async || (unreachable.requests() >= 8).then_some(()))
        .await;
    let other = house.worker("b").await;
    house.until(job, JobState::Succeeded).await;
    cut_off.shutdown(DRAIN).await;
    other.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(40));
    assert_eq!(good.requests(), 40);
}
