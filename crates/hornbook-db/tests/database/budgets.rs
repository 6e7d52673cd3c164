//! Budgets: what is leased, spent and given back never adds up to more than there is, but for what is under way.

use hornbook_db::budgets::{self, Amount, Slice};
use hornbook_db::documents::{self, Bill, Paid};
use hornbook_db::{Db, chunks, jobs, keys};
use hornbook_types::{Budget, BudgetEnd, Document, JobState, KeyQuota, Scope, Usage};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, complete, failed, slug, spec};

const NOTHING: Amount = Amount { tokens: 0, usd: 0.0, failures: 0 };

fn tokens(bound: u64) -> Budget {
    Budget { tokens: Some(bound), ..Budget::default() }
}

async fn submit(db: &Db, total: u64, budget: &Budget) -> Uuid {
    let id = Uuid::now_v7();
    jobs::submit_within(db, id, &spec(total), budget, None).await.unwrap();
    id
}

/// So many tokens, dollars and failures.
fn amount(tokens: u64, usd: f64, failures: u64) -> Amount {
    Amount { tokens, usd, failures }
}

async fn refill(db: &Db, job: Uuid, worker: Uuid, under_way: Amount, want: Amount) -> Amount {
    match budgets::refill(db, job, worker, under_way, want).await.unwrap() {
        Slice::Bounded(slice) => slice,
        Slice::Unbounded => panic!("no bound"),
    }
}

/// An accepted document of exactly so many tokens.
fn costing(seq: u64, tokens: u64) -> Document {
    let usage = Usage { prompt_tokens: 0, completion_tokens: tokens, cached_tokens: 0 };
    Document { usage, ..accepted(seq) }
}

#[tokio::test]
async fn slices_never_add_up_to_more_than_is_left() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 1_000, &tokens(10_000)).await;
    let want = amount(6_000, 0.0, 64);
    let (a, b, c) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    // Half of what nobody holds, so that whoever comes later gets some.
    assert_eq!(refill(db, job, a, NOTHING, want).await.tokens, 5_000);
    assert_eq!(refill(db, job, b, NOTHING, want).await.tokens, 2_500);
    let lease = claim(db, a, 64).await.unwrap();
    documents::commit_group(db, &lease.key, &[costing(0, 1_000)], 0.0).await.unwrap();
    // 1,000 are spent, 2,500 another's and 3,000 under way: half of the rest.
    assert_eq!(refill(db, job, a, amount(3_000, 0.0, 0), want).await.tokens, 1_750);
    let held = test.number("SELECT sum(tokens)::bigint FROM budget_slices").await;
    assert_eq!(held, 2_500 + 3_000 + 1_750);
    // The last crumbs are not halved again and again.
    let crumbs = amount(100_000, 0.0, 64);
    assert_eq!(refill(db, job, c, NOTHING, crumbs).await.tokens, 1_750);
    assert_eq!(refill(db, job, Uuid::now_v7(), NOTHING, want).await.tokens, 0);

    // What is given back, or whose holder is silent for a lease's time, is free again.
    budgets::give_back(db, job, b).await.unwrap();
    assert_eq!(refill(db, job, c, NOTHING, crumbs).await.tokens, 4_250);
    test.sql("UPDATE budget_slices SET expires_at = now() - interval '1 second'").await;
    assert_eq!(refill(db, job, b, NOTHING, crumbs).await.tokens, 9_000);
}

#[tokio::test]
async fn claims_pass_over_a_job_of_which_the_others_hold_all() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 1_000, &tokens(1_000)).await;
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    let all = amount(1_000 * 8, 0.0, 64);
    assert_eq!(refill(db, job, a, NOTHING, all).await.tokens, 1_000);
    assert!(claim(db, b, 4).await.is_none());
    assert!(claim(db, a, 4).await.is_some(), "its own slice is its own to spend");
    refill(db, job, a, amount(1_000, 0.0, 0), all).await;
    assert!(claim(db, a, 4).await.is_none(), "all of it is under way");
    budgets::give_back(db, job, a).await.unwrap();
    assert!(claim(db, b, 4).await.is_some());
}

#[tokio::test]
async fn one_failure_that_is_allowed_keeps_nobody_out() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 1_000, &Budget { failures: Some(1), ..Budget::default() }).await;
    let want = amount(0, 0.0, 64);
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(refill(db, job, a, NOTHING, want).await.failures, 1);
    let lease = claim(db, b, 4).await.unwrap();
    assert_eq!(refill(db, job, b, NOTHING, want).await.failures, 1);
    documents::commit_group(db, &lease.key, &[failed(lease.lo, "http_500")], 0.0).await.unwrap();
    assert_eq!(refill(db, job, a, NOTHING, want).await.failures, 0);
    assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Paused);

    // While there are many, they are shared like everything else.
    let many = submit(db, 1_000, &Budget { failures: Some(100), ..Budget::default() }).await;
    assert_eq!(refill(db, many, a, NOTHING, want).await.failures, 50);
    assert_eq!(refill(db, many, b, NOTHING, want).await.failures, 25);
}

#[tokio::test]
async fn dollars_are_leased_like_tokens() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 1_000, &Budget { usd: Some(2.0), ..Budget::default() }).await;
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(refill(db, job, a, NOTHING, amount(0, 10.0, 64)).await.usd, 1.25);
    assert_eq!(refill(db, job, b, NOTHING, amount(0, 0.1, 64)).await.usd, 0.1);
    let lease = claim(db, a, 4).await.unwrap();
    documents::commit_group(db, &lease.key, &[accepted(lease.lo)], 2.0).await.unwrap();
    assert_eq!(refill(db, job, a, NOTHING, amount(0, 10.0, 64)).await.usd, 0.0);
    assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Paused);
}

#[tokio::test]
async fn a_job_that_crosses_its_budget_with_its_last_document_is_done() {
    let test = TestDb::new().await;
    let db = &test.db;
    let worker = Uuid::now_v7();
    for then in [BudgetEnd::Pause, BudgetEnd::Finish] {
        let job = submit(db, 8, &Budget { then, ..tokens(500) }).await;
        let lease = claim(db, worker, 8).await.unwrap();
        let rows: Vec<_> = (0..8).map(|seq| costing(seq, 100)).collect();
        documents::commit_group(db, &lease.key, &rows, 0.0).await.unwrap();
        // Whoever looks before the chunk is finished finds it spent, and nothing left to stop.
        assert_eq!(refill(db, job, worker, NOTHING, amount(100, 0.0, 1)).await.tokens, 0);
        assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Running);
        chunks::finish(db, &lease.key).await.unwrap();
        let done = jobs::get(db, job).await.unwrap();
        assert_eq!((done.state, done.error), (JobState::Assembling, None), "{then:?}");
    }
    // It was paused with the last prompts under way, and they ended.
    let job = submit(db, 8, &tokens(500)).await;
    let lease = claim(db, worker, 8).await.unwrap();
    let rows: Vec<_> = (0..6).map(|seq| costing(seq, 100)).collect();
    documents::commit_group(db, &lease.key, &rows, 0.0).await.unwrap();
    refill(db, job, worker, NOTHING, amount(100, 0.0, 1)).await;
    assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Paused);
    complete(db, &lease, accepted).await;
    let done = jobs::get(db, job).await.unwrap();
    assert_eq!((done.state, done.error), (JobState::Assembling, None));

    // What a person paused waits for a person.
    let job = submit(db, 4, &tokens(100_000)).await;
    let lease = claim(db, worker, 4).await.unwrap();
    jobs::pause(db, job).await.unwrap();
    complete(db, &lease, accepted).await;
    assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Paused);
}

#[tokio::test]
async fn the_tokens_of_a_key_are_leased_over_all_its_jobs() {
    let test = TestDb::new().await;
    let db = &test.db;
    let quota = KeyQuota { tokens_per_day: Some(1_000), ..KeyQuota::default() };
    keys::create(db, "k", "", &[1; 32], &[Scope::Write], &quota).await.unwrap();
    let mut of_key = Vec::new();
    for _ in 0..2 {
        let id = Uuid::now_v7();
        jobs::submit_as(db, id, &spec(1_000), Some("k")).await.unwrap();
        of_key.push(id);
    }
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    let want = amount(700, 0.0, 64);
    assert_eq!(refill(db, of_key[0], a, NOTHING, want).await.tokens, 500);
    assert_eq!(refill(db, of_key[1], b, NOTHING, want).await.tokens, 250);
    assert_eq!(refill(db, of_key[1], a, amount(200, 0.0, 0), want).await.tokens, 50);
    // Everything is leased: nobody else may begin, and nothing is paused for it.
    refill(db, of_key[0], b, NOTHING, amount(8_000, 0.0, 64)).await;
    assert!(claim(db, Uuid::now_v7(), 4).await.is_none());
    assert_eq!(jobs::get(db, of_key[0]).await.unwrap().state, JobState::Queued);
    // A budget of its own holds besides.
    budgets::set(db, of_key[0], Some(&tokens(40)), None).await.unwrap();
    budgets::give_back(db, of_key[0], b).await.unwrap();
    assert_eq!(refill(db, of_key[0], a, NOTHING, want).await.tokens, 40);

    // What is used counts like what is leased.
    budgets::set(db, of_key[0], Some(&Budget::default()), None).await.unwrap();
    let lease = claim(db, a, 4).await.unwrap();
    documents::commit_group(db, &lease.key, &[costing(lease.lo, 990)], 0.0).await.unwrap();
    test.sql("DELETE FROM budget_slices").await;
    let slice = refill(db, lease.key.job_id, a, NOTHING, want).await.tokens;
    assert_eq!(slice, 10);
}

#[tokio::test]
async fn what_is_paid_for_nothing_counts_and_is_known_at_once() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 8, &tokens(100_000)).await;
    let lease = claim(db, Uuid::now_v7(), 8).await.unwrap();
    let usage = Usage { prompt_tokens: 20, completion_tokens: 80, cached_tokens: 0 };
    let wasted = vec![Paid { endpoint: slug("dear"), usage, usd: 0.5 }];
    let bills = [Bill { usd: 0.25, wasted }, Bill { usd: 0.25, wasted: Vec::new() }];
    let rows = [costing(0, 100), Document { usage, ..failed(1, "refusal") }];
    for _ in 0..2 {
        // The second time it is there already, and costs nothing.
        documents::commit_billed(db, &lease.key, &rows, &bills).await.unwrap();
        let used = jobs::get(db, job).await.unwrap();
        assert_eq!((used.usage.prompt_tokens, used.usage.completion_tokens), (40, 260));
        assert_eq!(used.usd, 1.0);
    }
    let by_endpoint = async || -> Vec<(String, u64, u64, f64)> {
        let used = jobs::endpoints(db, job).await.unwrap().into_iter();
        used.map(|one| {
            let totals = one.totals;
            let tokens = totals.prompt_tokens + totals.completion_tokens;
            (one.name, totals.documents, tokens, totals.usd)
        })
        .collect()
    };
    let dear = ("dear".to_owned(), 0, 100, 0.5);
    let live = [dear.clone(), ("local".to_owned(), 2, 200, 0.5)];
    assert_eq!(by_endpoint().await, live, "while the chunk is open");
    jobs::cancel(db, job).await.unwrap();
    chunks::release(db, lease.key.token).await.unwrap();
    assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Cancelled);
    assert_eq!(by_endpoint().await, live, "and in a job that was cancelled");

    // Run again, the failed prompt costs once more, and stays one document.
    jobs::retry(db, job, None).await.unwrap();
    assert_eq!(by_endpoint().await[1], ("local".to_owned(), 1, 200, 0.5));
    let again = claim(db, Uuid::now_v7(), 8).await.unwrap();
    complete(db, &again, |seq| costing(seq, 10)).await;
    assert_eq!(by_endpoint().await, [dear, ("local".to_owned(), 8, 270, 0.5)]);
}

#[tokio::test]
async fn a_row_that_is_refused_was_paid_for() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 4, &tokens(100_000)).await;
    let lease = claim(db, Uuid::now_v7(), 4).await.unwrap();
    let mut bad = costing(1, 30);
    bad.text.push('\0');
    let rows = [costing(0, 10), bad, costing(2, 10), costing(3, 10)];
    let bills: Vec<Bill> =
        [0.1, 0.3, 0.1, 0.1].into_iter().map(|usd| Bill { usd, ..Bill::default() }).collect();
    documents::commit_group_splitting(db, &lease.key, &rows, &bills).await.unwrap();
    let used = jobs::get(db, job).await.unwrap();
    assert_eq!((used.usage.completion_tokens, used.counts.failed), (60, 1));
    assert!((used.usd - 0.6).abs() < 1e-9, "{}", used.usd);
    let stored = documents::get(db, job, 1).await.unwrap().document;
    assert_eq!(stored.usage.completion_tokens, 30);
}

#[tokio::test]
async fn counts_that_contradict_what_is_stored_are_told_and_not_tried_for_ever() {
    let test = TestDb::new().await;
    let db = &test.db;
    let job = submit(db, 4, &Budget::default()).await;
    let lease = claim(db, Uuid::now_v7(), 4).await.unwrap();
    let rows: Vec<_> = (0..4).map(accepted).collect();
    documents::commit_group(db, &lease.key, &rows, 0.0).await.unwrap();
    test.sql("DELETE FROM documents WHERE seq = 2").await;
    match chunks::finish(db, &lease.key).await.unwrap() {
        chunks::Finished::Contradicts(message) => {
            assert!(message.contains("counts 4 documents and has 3"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(jobs::get(db, job).await.unwrap().state, JobState::Running, "its owner fails it");
}

#[tokio::test]
async fn what_is_left_at_the_end_is_divided_among_the_workers() {
    let test = TestDb::new().await;
    let db = &test.db;
    let workers: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    for worker in &workers {
        hornbook_db::workers::register(db, *worker, "").await.unwrap();
    }
    submit(db, 100, &Budget::default()).await;
    let mut sizes = Vec::new();
    for worker in workers.iter().cycle() {
        let Some(lease) = claim(db, *worker, 1_000).await else { break };
        sizes.push(lease.hi - lease.lo);
    }
    assert_eq!(sizes, [34, 22, 15, 10, 7, 4, 4, 4]);
    // Those that are not heard of any more are not waited for.
    test.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour'").await;
    submit(db, 100, &Budget::default()).await;
    let lease = claim(db, workers[0], 1_000).await.unwrap();
    assert_eq!(lease.hi - lease.lo, 100);
}
