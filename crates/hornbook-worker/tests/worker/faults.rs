//! Jobs that cannot go well, and stores that cannot be written.

use std::time::Duration;

use hornbook_db::{corpora, jobs};
use hornbook_inference::ErrorClass;
use hornbook_types::JobState;

use crate::endpoint::{Scripted, story};
use crate::house::{House, every_seq, spec};

const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_every_prompt_failed_has_failed() {
    let scripted = Scripted::new(4, |_| Err((ErrorClass::Transient, "http_500")));
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(12, &["remote"])).await;
    let worker = house.worker("a").await;
    let ended = house.until(job, JobState::Failed).await;
    worker.shutdown(DRAIN).await;
    assert_eq!((ended.counts.failed, ended.corpus), (12, None));
    let error = ended.error.unwrap();
    assert_eq!(error.code, "every_prompt_failed");
    assert!(error.message.contains("http_500 (12): the script said http_500"), "{}", error.message);
    assert!(corpora::by_job(&house.db, job).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_cannot_be_rendered_fails_by_name() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let mut spec = spec(20, &["remote"]);
    spec.lines[1].template_spec.body = "{{ seed.topic.no.such.field }}".to_owned();
    let job = house.submit(&spec).await;
    let worker = house.worker("a").await;
    let ended = house.until(job, JobState::SucceededWithErrors).await;
    worker.shutdown(DRAIN).await;
    assert_eq!((ended.counts.failed, ended.counts.accepted), (5, 15));
    let manifest = house.checked_corpus(job).await;
    assert_eq!(manifest.content.counts.failed["render_failed"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_documents_alone_make_an_empty_corpus() {
    let scripted = Scripted::new(4, |_| Ok("Short.".to_owned()));
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(8, &["remote"])).await;
    let worker = house.worker("a").await;
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    let manifest = house.checked_corpus(job).await;
    assert_eq!((manifest.content.rows, manifest.content.counts.rejected["too_short"]), (0, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_prompts_run_again_on_request_and_the_corpus_grows() {
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = std::sync::Arc::clone(&broken);
    let scripted = Scripted::new(4, move |request| {
        let prompt = request.input.last();
        let fails =
            prompt.starts_with("Write") && is_broken.load(std::sync::atomic::Ordering::SeqCst);
        if fails { Err((ErrorClass::Transient, "timeout")) } else { Ok(story(prompt)) }
    });
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(40, &["remote"])).await;
    let worker = house.worker("a").await;
    house.until(job, JobState::SucceededWithErrors).await;
    let first = house.checked_corpus(job).await;
    assert_eq!((first.content.rows, first.content.counts.failed["timeout"]), (30, 10));
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    jobs::retry(&house.db, job, None).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    let second = house.checked_corpus(job).await;
    assert_eq!((second.content.rows, second.content.counts.failed.len()), (40, 0));
    assert_ne!(first.content.commit, second.content.commit);
    assert_eq!(house.seqs(job).await, every_seq(40));
    assert_eq!(scripted.requests(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_fails_the_job_until_it_is_mended() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    // A file where a directory must be made: refuses root as well.
    let obstacle = house.store_dir().join("corpora");
    std::fs::write(&obstacle, "in the way").unwrap();
    let job = house.submit(&spec(12, &["remote"])).await;
    let worker = house.worker("a").await;
    let failed = house.until(job, JobState::Failed).await;
    let error = failed.error.unwrap();
    assert_eq!(error.code, "assembly_failed");
    assert!(error.message.starts_with("the corpus store cannot be written: "), "{}", error.message);
    assert_eq!(failed.counts.accepted, 12, "nothing of the work is lost");

    std::fs::remove_file(&obstacle).unwrap();
    jobs::retry(&house.db, job, None).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.checked_corpus(job).await.content.rows, 12);
    assert_eq!(scripted.requests(), 12, "no prompt is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_segment_is_exported_again() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let obstacle = house.store_dir().join("corpora");
    std::fs::write(&obstacle, "in the way").unwrap();
    let job = house.submit(&spec(12, &["remote"])).await;
    let worker = house.worker("a").await;
    house.until(job, JobState::Failed).await;
    let segment = house
        .scratch_dir("a")
        .join("segments")
        .join(job.to_string())
        .join("000000000000-000000000012.jsonl.zst");
    let whole = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_file(&obstacle).unwrap();
    jobs::retry(&house.db, job, None).await.unwrap();
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.checked_corpus(job).await.content.rows, 12);
}
