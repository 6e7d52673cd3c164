//! Workers that die, and databases that go away under them.

use std::time::Duration;

use hornbook_db::documents;
use hornbook_types::{JobState, Verdict};

use crate::endpoint::Scripted;
use crate::house::{House, every_seq, spec, until};

const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_prompts_are_done_by_another_and_only_those() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    scripted.hold_after(13);
    let job = house.submit(&spec(60, &["remote"])).await;
    let doomed = house.worker("a").await;
    scripted.until_waiting(4).await;
    house.until_ended(job, 13).await;
    drop(doomed);
    let sent_before = scripted.requests();
    house.test_db.expire_leases().await;
    scripted.release();
    let heir = house.worker("b").await;
    house.until(job, JobState::Succeeded).await;
    heir.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(60));
    let sent_after = scripted.requests() - sent_before;
    assert_eq!((sent_before, sent_after), (17, 47), "only what was missing is done again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_kills_its_workers_fails_alone() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(12, &["remote"])).await;
    scripted.hold();
    let doomed = house.worker("a").await;
    scripted.until_waiting(4).await;
    drop(doomed);
    scripted.release();
    // As if two more owners had died before anything was stored, and three while it ran one by one.
    house.test_db.sql("UPDATE job_chunks SET deaths = 5 WHERE chunk = 0").await;
    house.test_db.expire_leases().await;
    let heir = house.worker("b").await;
    let ended = house.until(job, JobState::SucceededWithErrors).await;
    heir.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(12));
    assert_eq!((ended.counts.failed, ended.counts.accepted), (1, 11));
    let killer = documents::get(&house.db, job, 0).await.unwrap().document;
    assert_eq!((killer.verdict, killer.reason.as_deref()), (Verdict::Failed, Some("worker_lost")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_killed_owners_is_run_one_prompt_at_a_time() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(4, &["remote"])).await;
    scripted.hold();
    let doomed = house.worker("a").await;
    scripted.until_waiting(4).await;
    drop(doomed);
    house.test_db.sql("UPDATE job_chunks SET deaths = 2").await;
    house.test_db.expire_leases().await;
    let before = scripted.requests();
    let heir = house.worker("b").await;
    until("one prompt", async || (scripted.requests() > before).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scripted.requests() - before, 1, "four slots are free, one prompt is out");
    scripted.release();
    house.until(job, JobState::Succeeded).await;
    heir.shutdown(DRAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_lose_nothing() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(200, &["remote"])).await;
    let worker = house.worker("a").await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND query NOT LIKE '%pg_terminate_backend%'";
    let mut cuts = 0;
    until("the job's end", async || {
        if cuts < 20 {
            house.test_db.sql(cut).await;
            cuts += 1;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
        let query = "SELECT count(*) FROM jobs WHERE state = 'succeeded'";
        (house.test_db.number(query).await == 1).then_some(())
    })
    .await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(200));
    assert_eq!(house.checked_corpus(job).await.content.rows, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_assemblers_corpus_is_assembled_by_another() {
    let scripted = Scripted::writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let job = house.submit(&spec(20, &["remote"])).await;
    scripted.hold_after(16);
    let worker = house.worker("a").await;
    house.until_ended(job, 16).await;
    // An assembler that was killed: the lease is held, and nobody beats for it.
    house.test_db.sql("UPDATE jobs SET assembly_token = nextval('lease_tokens'), assembly_owner = gen_random_uuid(), assembly_expires_at = now() + interval '1 hour'").await;
    scripted.release();
    until("the job to wait for its corpus", async || {
        (house.job(job).await.state == JobState::Assembling).then_some(())
    })
    .await;
    assert_eq!(house.job(job).await.corpus, None);
    house.test_db.sql("UPDATE jobs SET assembly_expires_at = now() - interval '1 second'").await;
    house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    assert_eq!(house.checked_corpus(job).await.content.rows, 20);
}
