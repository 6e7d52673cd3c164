//! The law of counting: whatever workers, deaths and retries do, counts are those of the documents.

use std::collections::BTreeMap;

use hornbook_db::chunks::{self, Finished, Lease};
use hornbook_db::{Db, DbError, documents, janitor, jobs};
use hornbook_types::{Document, JobState, Verdict};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, failed, rejected, submitted};

const PROMPTS: u64 = 120;
const STEPS: usize = 150;

fn outcome(random: &mut StdRng, seq: u64) -> Document {
    match random.random_range(0..10) {
        0..5 => accepted(seq),
        5..7 => rejected(seq, ["empty", "refusal"].choose(random).unwrap()),
        _ => failed(seq, ["http_500", "timeout"].choose(random).unwrap()),
    }
}

/// Compares everything that is counted with what is stored.
async fn check(db: &Db, job: Uuid, step: &str) {
    let rows = documents::export_page(db, job, None, PROMPTS, 1_000, false).await.unwrap();
    let tally = jobs::counts(db, job).await.unwrap();
    let with = |verdict| rows.iter().filter(|row| row.verdict == verdict).count() as u64;
    let counts = tally.counts;
    assert_eq!(
        (counts.accepted, counts.rejected, counts.failed),
        (with(Verdict::Accepted), with(Verdict::Rejected), with(Verdict::Failed)),
        "{step}"
    );
    let tokens: u64 = rows.iter().map(|row| row.usage.completion_tokens).sum();
    assert_eq!(tally.usage.completion_tokens, tokens, "{step}");
    let mut expected = BTreeMap::<(String, String), (u64, u64)>::new();
    for row in &rows {
        let key = (row.verdict.as_str().to_owned(), row.reason.clone().unwrap_or_default());
        let cell = expected.entry(key).or_default();
        *cell = (cell.0 + 1, cell.1 + row.usage.completion_tokens);
    }
    let cells: BTreeMap<_, _> = jobs::cells(db, job)
        .await
        .unwrap()
        .into_iter()
        .map(|cell| ((cell.verdict.as_str().to_owned(), cell.reason), (cell.count, cell.tokens)))
        .collect();
    assert_eq!(cells, expected, "{step}");
    let errors: u64 = jobs::errors(db, job, 9).await.unwrap().iter().map(|error| error.count).sum();
    assert_eq!(errors, with(Verdict::Failed), "{step}");
}

/// One random step of one of several workers, some of which do not know that they lost their lease.
async fn step(
    test: &TestDb,
    random: &mut StdRng,
    job: Uuid,
    leases: &mut Vec<Lease>,
) -> &'static str {
    let db = &test.db;
    match random.random_range(0..100) {
        0..20 => {
            leases.extend(claim(db, Uuid::now_v7(), random.random_range(4..20)).await);
            "claim"
        }
        20..65 => {
            let Some(lease) = leases.choose(random) else { return "nothing to commit" };
            // Any prompts of the chunk, done already or not.
            let mut group = Vec::new();
            for seq in lease.lo..lease.hi {
                if random.random_bool(0.4) {
                    group.push(outcome(random, seq));
                }
            }
            match documents::commit_group(db, &lease.key, &group, 0.0).await {
                Ok(_) | Err(DbError::Fenced) => "commit",
                Err(other) => panic!("{other}"),
            }
        }
        65..80 => {
            let Some(lease) = leases.choose(random) else { return "nothing to finish" };
            match chunks::finish(db, &lease.key).await {
                Ok(Finished::Done(_) | Finished::Missing(_)) | Err(DbError::Fenced) => "finish",
                Ok(Finished::Contradicts(what)) => panic!("{what}"),
                Err(other) => panic!("{other}"),
            }
        }
        80..86 => {
            test.expire_leases().await;
            "expire"
        }
        86..90 => {
            janitor::sweep(db).await.unwrap();
            "sweep"
        }
        90..94 => {
            let Some(lease) = leases.choose(random) else { return "nothing to release" };
            match chunks::release(db, lease.key.token).await {
                Ok(()) | Err(DbError::Fenced) => "release",
                Err(other) => panic!("{other}"),
            }
        }
        _ => {
            jobs::cancel(db, job).await.ok();
            janitor::sweep(db).await.unwrap();
            let codes = ["timeout".to_owned()];
            let codes = random.random_bool(0.5).then_some(codes.as_slice());
            match jobs::retry(db, job, codes).await {
                Ok(_) => "cancel and retry",
                Err(DbError::Conflict(_)) => "no retry",
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn counts_are_those_of_the_documents_whatever_happens() {
    let test = TestDb::new().await;
    for seed in 0..6 {
        let mut random = StdRng::seed_from_u64(seed);
        let job = submitted(&test.db, PROMPTS).await;
        let mut leases = Vec::new();
        for number in 0..STEPS {
            let done = step(&test, &mut random, job, &mut leases).await;
            check(&test.db, job, &format!("seed {seed}, step {number}: {done}")).await;
        }
        // Whatever state that left it in, it can be brought to its end with every prompt exactly once.
        test.expire_leases().await;
        janitor::sweep(&test.db).await.unwrap();
        match jobs::retry(&test.db, job, None).await {
            Ok(_) | Err(DbError::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
        while let Some(lease) = claim(&test.db, Uuid::now_v7(), 50).await {
            crate::fixtures::complete(&test.db, &lease, accepted).await;
        }
        check(&test.db, job, "the end").await;
        let state = jobs::get(&test.db, job).await.unwrap();
        assert_eq!(state.counts.ended(), PROMPTS, "seed {seed}");
        assert_eq!(state.state, JobState::Assembling, "seed {seed}");
        crate::fixtures::force_state(&test, job, JobState::Succeeded).await;
    }
}

/// The same with real concurrency: workers that commit, lose leases and retry at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_survive_concurrency() {
    let test = TestDb::new().await;
    let job = submitted(&test.db, PROMPTS).await;
    let mut tasks = Vec::new();
    for number in 0..6_u64 {
        let db = test.db.clone();
        tasks.push(tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(number);
            let worker = Uuid::now_v7();
            loop {
                let Some(lease) = claim(&db, worker, random.random_range(4..12)).await else {
                    let job = jobs::get(&db, job).await.unwrap();
                    match job.state {
                        JobState::Assembling => return,
                        _ => tokio::task::yield_now().await,
                    }
                    continue;
                };
                if random.random_bool(0.3) {
                    let _ = chunks::release(&db, lease.key.token).await;
                    continue;
                }
                let todo = chunks::missing(&db, job, lease.lo, lease.hi).await.unwrap();
                let groups: Vec<Vec<Document>> = todo
                    .chunks(3)
                    .map(|seqs| seqs.iter().map(|&seq| outcome(&mut random, seq)).collect())
                    .collect();
                // Groups of one chunk at the same time, beside heartbeats of its lease.
                let tokens = [lease.key.token];
                let commits =
                    groups.iter().map(|group| documents::commit_group(&db, &lease.key, group, 0.0));
                let beat =
                    async { hornbook_db::leases::heartbeat(&db, worker, &tokens).await.unwrap() };
                let (outcomes, _) = tokio::join!(futures(commits), beat);
                if outcomes.iter().any(Result::is_err) {
                    continue;
                }
                match chunks::finish(&db, &lease.key).await {
                    Ok(Finished::Done(_)) | Err(DbError::Fenced) => {}
                    other => panic!("{other:?}"),
                }
            }
        }));
    }
    for _ in 0..10 {
        test.expire_leases().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    check(&test.db, job, "the end").await;
    assert_eq!(jobs::counts(&test.db, job).await.unwrap().counts.ended(), PROMPTS);
}

/// Runs all of them at once.
async fn futures<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut outcomes: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, outcome) in running.iter_mut().zip(&mut outcomes) {
            if outcome.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *outcome = Some(done);
            }
        }
        match outcomes.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}
