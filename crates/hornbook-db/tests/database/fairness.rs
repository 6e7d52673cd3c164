//! Who goes first, and how much of it a key may ask for.

use std::collections::BTreeMap;

use hornbook_db::{Db, DbError, Quota, chunks, documents, events, janitor, jobs, keys};
use hornbook_types::{EventKind, KeyQuota, PinnedJobSpec, Scope};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, complete, slug, spec, submitted};

async fn weighted(db: &Db, total: u64, weight: f64) -> Uuid {
    let id = Uuid::now_v7();
    jobs::submit(db, id, &PinnedJobSpec { weight, ..spec(total) }).await.unwrap();
    id
}

/// Prompts that each job gets of the next `claims` chunks of `prompts`.
async fn shares(test: &TestDb, claims: u32, prompts: u64) -> BTreeMap<Uuid, u64> {
    let mut shares = BTreeMap::new();
    for _ in 0..claims {
        let lease = claim(&test.db, Uuid::now_v7(), prompts).await.unwrap();
        *shares.entry(lease.key.job_id).or_default() += lease.hi - lease.lo;
    }
    shares
}

#[tokio::test]
async fn jobs_share_by_weight_whatever_the_size_of_chunks() {
    let test = TestDb::new().await;
    let light = weighted(&test.db, 100_000, 0.5).await;
    let plain = weighted(&test.db, 100_000, 1.0).await;
    let heavy = weighted(&test.db, 100_000, 2.5).await;
    let mut got: BTreeMap<Uuid, u64> = BTreeMap::new();
    for prompts in [10, 37, 64] {
        for (job, share) in shares(&test, 80, prompts).await {
            *got.entry(job).or_default() += share;
        }
    }
    let total: u64 = got.values().sum();
    for (job, part) in [(light, 0.125), (plain, 0.25), (heavy, 0.625)] {
        let share = got[&job] as f64 / total as f64;
        // One of the largest chunks more or less.
        assert!((share - part).abs() < 128.0 / total as f64, "{share} in place of {part}");
    }
    assert_eq!(jobs::get(&test.db, heavy).await.unwrap().weight, 2.5);
}

#[tokio::test]
async fn a_small_job_is_not_stuck_behind_a_huge_one() {
    let test = TestDb::new().await;
    let huge = submitted(&test.db, 10_000_000).await;
    let before = shares(&test, 200, 1_024).await;
    assert_eq!(before[&huge], 200 * 1_024);
    let small = submitted(&test.db, 60).await;
    let mut taken = Vec::new();
    for _ in 0..6 {
        taken.push(claim(&test.db, Uuid::now_v7(), 20).await.unwrap().key.job_id);
    }
    // It has had nothing yet, as if it had come with the other: at most one chunk goes before.
    let first = taken.iter().position(|job| *job == small).unwrap();
    assert!(first <= 1, "{taken:?}");
    assert_eq!(taken.iter().filter(|job| **job == small).count(), 3, "half of them, {taken:?}");
}

#[tokio::test]
async fn a_job_that_comes_back_does_not_shut_the_others_out() {
    let test = TestDb::new().await;
    let away = submitted(&test.db, 1_000_000).await;
    shares(&test, 1, 100).await;
    jobs::pause(&test.db, away).await.unwrap();
    let other = submitted(&test.db, 1_000_000).await;
    assert_eq!(shares(&test, 100, 1_000).await[&other], 100_000);
    jobs::resume(&test.db, away).await.unwrap();
    let got = shares(&test, 20, 1_000).await;
    // It lags by a hundred chunks, of which it makes good one or two.
    assert!((10_000..=12_000).contains(&got[&away]), "{got:?}");
}

#[tokio::test]
async fn taken_over_chunks_count_for_what_is_left_of_them() {
    let test = TestDb::new().await;
    let first = submitted(&test.db, 1_000).await;
    let lease = claim(&test.db, Uuid::now_v7(), 100).await.unwrap();
    let rows: Vec<_> = (0..40).map(accepted).collect();
    documents::commit_group(&test.db, &lease.key, &rows, 0.0).await.unwrap();
    chunks::release(&test.db, lease.key.token).await.unwrap();
    let vtime = format!("SELECT vtime::bigint FROM jobs WHERE id = '{first}'");
    assert_eq!(test.number(&vtime).await, 40, "what is handed back was not had");
    let again = claim(&test.db, Uuid::now_v7(), 100).await.unwrap();
    assert_eq!((again.key.job_id, again.fresh), (first, false));
    assert_eq!(test.number(&vtime).await, 100);

    // Of the dead as well, whether the next owner finds it or a janitor before.
    let expire = "UPDATE job_chunks SET lease_expires_at = now() - interval '1 second'";
    test.sql(expire).await;
    let heir = claim(&test.db, Uuid::now_v7(), 100).await.unwrap();
    assert_eq!((heir.key.chunk, test.number(&vtime).await), (again.key.chunk, 100));
    test.sql(expire).await;
    assert_eq!(janitor::sweep(&test.db).await.unwrap().chunks, 1);
    assert_eq!(test.number(&vtime).await, 40);
    let last = claim(&test.db, Uuid::now_v7(), 100).await.unwrap();
    assert_eq!((last.key.chunk, test.number(&vtime).await), (again.key.chunk, 100));
}

/// Pages of the database that the choice of the next job looks at, to a session that knows the schema.
async fn pages_of_a_pick(test: &TestDb) -> i64 {
    let query =
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT pick_job('{local}', gen_random_uuid())";
    let mut session = test.raw.acquire().await.unwrap();
    let mut pages = 0;
    for _ in 0..3 {
        let plan: serde_json::Value =
            sqlx::query_scalar(query).fetch_one(&mut *session).await.unwrap();
        let count = |kind: &str| plan[0]["Plan"][kind].as_i64().unwrap();
        pages = count("Shared Hit Blocks") + count("Shared Read Blocks");
    }
    pages
}

#[tokio::test]
async fn the_choice_of_a_job_costs_little_with_hundreds_of_them() {
    let test = TestDb::new().await;
    let model = submitted(&test.db, 1_000).await;
    // With long specs, bounds on what they cost, and quotas, each of which is dear to look at.
    test.sql(&format!(
        "INSERT INTO jobs (id, name, state, spec, endpoints, priority, total, vtime, budget_tokens, quotas,
                line_accepted)
         SELECT gen_random_uuid(), name, state, jsonb_build_object('x', (
                    SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 500) WHERE n > 0)),
                endpoints, priority, total, n, 1000000, '{{500}}', '{{0}}'
           FROM jobs, generate_series(1, 500) AS n WHERE id = '{model}'"
    ))
    .await;
    test.sql(&format!("UPDATE jobs SET state = 'cancelled' WHERE id = '{model}'")).await;
    test.sql("ANALYZE jobs").await;
    let pages = pages_of_a_pick(&test).await;
    println!("{pages} pages for the choice of one of 500 jobs");
    // Of every job some twenty are on a page; to unpack a spec costs a dozen pages.
    assert!(pages < 400, "{pages} pages");
    let first = "SELECT vtime::bigint FROM jobs WHERE id = pick_job('{local}', gen_random_uuid())";
    assert_eq!(test.number(first).await, 1);
}

#[tokio::test]
async fn a_higher_priority_goes_first_whatever_the_weights() {
    let test = TestDb::new().await;
    weighted(&test.db, 1_000, 1_000.0).await;
    let urgent = Uuid::now_v7();
    let pinned = PinnedJobSpec { priority: 1, weight: 0.001, ..spec(60) };
    jobs::submit(&test.db, urgent, &pinned).await.unwrap();
    assert_eq!(shares(&test, 3, 20).await, BTreeMap::from([(urgent, 60)]));
}

async fn key(db: &Db, id: &str, quota: KeyQuota) {
    keys::create(db, id, "", &[1; 32], &[Scope::Write], &quota).await.unwrap();
}

async fn submit_as(db: &Db, total: u64, key: &str) -> Result<Uuid, DbError> {
    let id = Uuid::now_v7();
    jobs::submit_as(db, id, &spec(total), Some(key)).await.map(|()| id)
}

#[tokio::test]
async fn a_key_submits_within_its_quotas() {
    let test = TestDb::new().await;
    let db = &test.db;
    key(
        db,
        "k",
        KeyQuota { running_jobs: Some(2), prompts_per_day: Some(100), ..KeyQuota::default() },
    )
    .await;
    key(db, "other", KeyQuota::default()).await;
    assert_eq!(keys::find(db, "k").await.unwrap().unwrap().key.quota.running_jobs, Some(2));
    submit_as(db, 1_000, "other").await.unwrap();
    let first = submit_as(db, 60, "k").await.unwrap();
    match submit_as(db, 41, "k").await {
        Err(DbError::Quota(exceeded)) => {
            assert_eq!((exceeded.quota, exceeded.used), (Quota::PromptsPerDay, 60));
            let wait = exceeded.retry_after_seconds.unwrap();
            assert!((1..=86_400).contains(&wait), "{wait}");
        }
        other => panic!("{other:?}"),
    }
    match submit_as(db, 101, "k").await {
        Err(DbError::Quota(exceeded)) => assert_eq!(exceeded.retry_after_seconds, None),
        other => panic!("{other:?}"),
    }
    submit_as(db, 30, "k").await.unwrap();
    let third = submit_as(db, 10, "k").await;
    let Err(DbError::Quota(exceeded)) = third else { panic!("{third:?}") };
    assert_eq!((exceeded.quota, exceeded.limit, exceeded.used), (Quota::RunningJobs, 2, 2));
    assert_eq!(
        jobs::list(db, None, None, 10).await.unwrap().len(),
        3,
        "what is refused is not stored"
    );
    jobs::cancel(db, first).await.unwrap();
    submit_as(db, 10, "k").await.unwrap();
    // The prompts of a cancelled job stay used, until the next day.
    jobs::cancel(db, first).await.unwrap();
    test.sql("UPDATE key_usage SET day = day - 1").await;
    test.sql("UPDATE jobs SET state = 'succeeded', finished_at = now()").await;
    submit_as(db, 100, "k").await.unwrap();
}

#[tokio::test]
async fn two_submissions_at_once_cannot_both_take_what_is_left() {
    let test = TestDb::new().await;
    key(&test.db, "k", KeyQuota { prompts_per_day: Some(50), ..KeyQuota::default() }).await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let db = test.db.clone();
            tokio::spawn(async move { submit_as(&db, 20, "k").await.is_ok() })
        })
        .collect();
    let mut taken = 0;
    for one in tries {
        taken += usize::from(one.await.unwrap());
    }
    assert_eq!(taken, 2);
    assert_eq!(test.number("SELECT prompts FROM key_usage").await, 40);
}

#[tokio::test]
async fn jobs_of_a_key_without_tokens_wait_for_the_next_day() {
    let test = TestDb::new().await;
    let db = &test.db;
    // A document of these fixtures uses 7 tokens and 10 to 12 more.
    key(db, "k", KeyQuota { tokens_per_day: Some(150), ..KeyQuota::default() }).await;
    let mine = submit_as(db, 40, "k").await.unwrap();
    let worker = Uuid::now_v7();
    let done = claim(db, worker, 5).await.unwrap();
    complete(db, &done, accepted).await;
    let used = test.number("SELECT tokens FROM key_usage").await;
    assert_eq!(used, 35 + 54);
    let open = claim(db, worker, 5).await.unwrap();
    assert_eq!(open.key.job_id, mine, "something is left");
    let rows: Vec<_> = (open.lo..open.hi - 1).map(accepted).collect();
    documents::commit_group(db, &open.key, &rows, 0.0).await.unwrap();
    // What the open chunk used counts before it is done.
    assert!(claim(db, worker, 5).await.is_none());
    let other = submitted(db, 4).await;
    assert_eq!(claim(db, worker, 5).await.unwrap().key.job_id, other);

    for _ in 0..2 {
        janitor::sweep(db).await.unwrap();
    }
    let warnings: Vec<_> = events::list(db, mine, 0, 100)
        .await
        .unwrap()
        .into_iter()
        .filter(|event| {
            event.kind == EventKind::Warning && event.data["code"] == keys::TOKENS_SPENT
        })
        .collect();
    assert_eq!(warnings.len(), 1, "told once a day");

    // Handed back, it is charged to the day; taken up again, only for what comes on top.
    chunks::release(db, open.key.token).await.unwrap();
    let charged = test.number("SELECT tokens FROM key_usage").await;
    test.sql("UPDATE key_usage SET day = day - 1").await;
    let again = claim(db, worker, 5).await.unwrap();
    assert_eq!((again.key.job_id, again.lo), (mine, open.lo));
    complete(db, &again, accepted).await;
    let today = test.number("SELECT tokens FROM key_usage ORDER BY day DESC LIMIT 1").await;
    let spent = jobs::get(db, mine).await.unwrap().usage;
    let spent = (spent.prompt_tokens + spent.completion_tokens) as i64;
    assert_eq!(charged + today, spent);
    assert!(charged > used && (17..=19).contains(&today), "{charged} {today}");
}

#[tokio::test]
async fn a_quota_is_no_obstacle_for_endpoints_and_jobs_of_others() {
    let test = TestDb::new().await;
    let db = &test.db;
    key(db, "spent", KeyQuota { tokens_per_day: Some(1), ..KeyQuota::default() }).await;
    let id = Uuid::now_v7();
    let pinned = PinnedJobSpec { priority: 9, endpoints: vec![slug("local")], ..spec(40) };
    jobs::submit_as(db, id, &pinned, Some("spent")).await.unwrap();
    let mine = claim(db, Uuid::now_v7(), 4).await.unwrap();
    documents::commit_group(db, &mine.key, &[accepted(0)], 0.0).await.unwrap();
    let others = submitted(db, 4).await;
    assert_eq!(claim(db, Uuid::now_v7(), 4).await.unwrap().key.job_id, others);
}
