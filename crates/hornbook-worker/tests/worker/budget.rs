//! Budgets: a job stops within what is in flight, and goes on when it is given more.

use std::time::Duration;

use hornbook_db::{Conflict, DbError, budgets, endpoints, events, jobs};
use hornbook_inference::ErrorClass;
use hornbook_types::{Budget, BudgetEnd, EndpointPrice, JobState};
use uuid::Uuid;

use crate::endpoint::{Scripted, story};
use crate::house::{House, every_seq, slug, spec};

const DRAIN: Duration = Duration::from_secs(5);
/// More tokens than any answer of the scripted endpoint has, its prompt included.
const TOKENS_EACH: u64 = 25;

fn tokens(bound: u64) -> Budget {
    Budget { tokens: Some(bound), ..Budget::default() }
}

async fn submit(house: &House, total: u64, budget: &Budget) -> Uuid {
    let id = Uuid::now_v7();
    jobs::submit_within(&house.db, id, &spec(total, &["remote"]), budget, None).await.unwrap();
    id
}

fn is_budget_spent<T: std::fmt::Debug>(outcome: Result<T, DbError>) -> bool {
    matches!(outcome, Err(DbError::Conflict(Conflict::BudgetSpent { .. })))
}

fn slow_writer(slots: usize) -> std::sync::Arc<Scripted> {
    let delay = |_: &hornbook_inference::CompletionRequest| Duration::from_millis(5);
    Scripted::slow(slots, delay, |request| Ok(story(request.input.last())))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_stop_together_at_the_tokens_and_go_on_when_there_are_more() {
    let scripted = slow_writer(8);
    let house = House::new(&[("remote", &scripted)]).await;
    let (a, b) = (house.worker("a").await, house.worker("b").await);
    let job = submit(&house, 200, &tokens(800)).await;
    for bound in [800, 1_600] {
        let paused = house.until(job, JobState::Paused).await;
        let used = paused.usage.prompt_tokens + paused.usage.completion_tokens;
        assert!(used >= bound, "{used} of {bound}");
        assert!(used <= bound + 16 * TOKENS_EACH, "{used} of {bound}");
        let error = paused.error.unwrap();
        assert_eq!(error.code, jobs::BUDGET_SPENT);
        assert!(error.message.contains(&format!("of {bound} tokens")), "{}", error.message);
        assert!(is_budget_spent(jobs::resume(&house.db, job).await));
        budgets::set(&house.db, job, Some(&tokens(bound + 800)), None).await.unwrap();
        let resumed = jobs::resume(&house.db, job).await.unwrap();
        assert_eq!((resumed.state, resumed.error), (JobState::Running, None));
    }
    house.until(job, JobState::Paused).await;
    budgets::set(&house.db, job, Some(&Budget::default()), Some(3)).await.unwrap();
    jobs::resume(&house.db, job).await.unwrap();
    let ended = house.until(job, JobState::Succeeded).await;
    assert_eq!((ended.counts.accepted, ended.priority), (200, 3));
    a.shutdown(DRAIN).await;
    b.shutdown(DRAIN).await;
    assert_eq!(house.seqs(job).await, every_seq(200));
    assert_eq!(scripted.requests(), 200, "no prompt was paid for twice");
    let events = events::list(&house.db, job, 0, 1_000).await.unwrap();
    let pauses = events.iter().filter(|event| event.data["code"] == jobs::BUDGET_SPENT).count();
    assert_eq!(pauses, 3);
    assert_eq!(house.test_db.number("SELECT count(*) FROM budget_slices").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_to_finish_becomes_a_partial_corpus() {
    let scripted = slow_writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let worker = house.worker("a").await;
    let budget = Budget { then: BudgetEnd::Finish, ..tokens(400) };
    let job = submit(&house, 100, &budget).await;
    let ended = house.until(job, JobState::SucceededWithErrors).await;
    assert_eq!(ended.error.map(|error| error.code).as_deref(), Some(jobs::BUDGET_SPENT));
    assert!(ended.counts.accepted >= 16 && ended.counts.accepted < 30, "{:?}", ended.counts);
    let manifest = house.checked_corpus(job).await;
    assert!(manifest.content.partial);
    assert_eq!(manifest.content.rows, ended.counts.accepted);

    assert!(is_budget_spent(jobs::retry(&house.db, job, None).await));
    budgets::set(&house.db, job, Some(&Budget::default()), None).await.unwrap();
    jobs::retry(&house.db, job, None).await.unwrap();
    let whole = house.until(job, JobState::Succeeded).await;
    assert_eq!((whole.counts.accepted, whole.error), (100, None));
    assert!(!house.checked_corpus(job).await.content.partial);
    worker.shutdown(DRAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dollars_are_counted_by_endpoint_and_bound_the_job() {
    let scripted = slow_writer(4);
    let house = House::new(&[("remote", &scripted)]).await;
    let mut endpoint = endpoints::get(&house.db, &slug("remote")).await.unwrap().spec;
    endpoint.price = EndpointPrice { input_per_million: 1_000.0, output_per_million: 2_000.0 };
    let name = slug("remote");
    endpoints::put(&house.db, &name, &endpoint, endpoints::Secret::Clear).await.unwrap();
    let worker = house.worker("a").await;
    let job = submit(&house, 60, &Budget { usd: Some(0.5), ..Budget::default() }).await;
    let paused = house.until(job, JobState::Paused).await;
    assert!(paused.usd >= 0.5 && paused.usd < 0.5 + 8.0 * 0.05, "{}", paused.usd);
    budgets::set(&house.db, job, Some(&Budget::default()), None).await.unwrap();
    jobs::resume(&house.db, job).await.unwrap();
    let ended = house.until(job, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    let used = jobs::endpoints(&house.db, job).await.unwrap();
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].name.as_str(), used[0].totals.documents), ("remote", 60));
    assert_eq!(used[0].totals.prompt_tokens, ended.usage.prompt_tokens);
    assert_eq!(used[0].totals.completion_tokens, ended.usage.completion_tokens);
    assert!((used[0].totals.usd - ended.usd).abs() < 1e-9, "{} {}", used[0].totals.usd, ended.usd);
    let by_price = (ended.usage.prompt_tokens as f64 * 1_000.0
        + ended.usage.completion_tokens as f64 * 2_000.0)
        / 1e6;
    assert!((ended.usd - by_price).abs() < 1e-9, "{} {by_price}", ended.usd);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_failures_stop_a_job() {
    let scripted = Scripted::new(4, |_| Err((ErrorClass::Permanent, "bad_request")));
    let house = House::new(&[("remote", &scripted)]).await;
    let worker = house.worker("a").await;
    let job = submit(&house, 200, &Budget { failures: Some(10), ..Budget::default() }).await;
    let paused = house.until(job, JobState::Paused).await;
    worker.shutdown(DRAIN).await;
    let failed = house.job(job).await.counts.failed;
    assert!((10..=10 + 2 * 64).contains(&failed), "{failed}");
    let error = paused.error.unwrap();
    assert_eq!(error.code, jobs::BUDGET_SPENT);
    assert!(error.message.contains("at most 10 prompts failed"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failures_cost_is_spent_and_told() {
    let scripted = Scripted::new(4, |_| Err((ErrorClass::Refused, "content_filter")));
    scripted.failure_tokens.store(50, std::sync::atomic::Ordering::SeqCst);
    let house = House::new(&[("remote", &scripted)]).await;
    let worker = house.worker("a").await;
    let job = submit(&house, 200, &tokens(1_000)).await;
    house.until(job, JobState::Paused).await;
    worker.shutdown(DRAIN).await;
    let paused = house.job(job).await;
    assert_eq!(paused.usage.completion_tokens, 50 * paused.counts.failed);
    assert!((20..=20 + 8).contains(&paused.counts.failed), "{:?}", paused.counts);
    let used = jobs::endpoints(&house.db, job).await.unwrap();
    assert_eq!(used[0].totals.completion_tokens, paused.usage.completion_tokens);
    assert_eq!(used[0].totals.documents, paused.counts.failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wasted_at_one_endpoint_is_charged_to_it() {
    let bad = Scripted::new(2, |_| Err((ErrorClass::Transient, "bad_json")));
    bad.failure_tokens.store(30, std::sync::atomic::Ordering::SeqCst);
    let delay = |_: &hornbook_inference::CompletionRequest| Duration::from_millis(20);
    let good = Scripted::slow(1, delay, |request| Ok(story(request.input.last())));
    let house = House::new(&[("bad", &bad), ("good", &good)]).await;
    let id = house.submit(&spec(12, &["bad", "good"])).await;
    let worker = house.worker("a").await;
    let ended = house.until(id, JobState::Succeeded).await;
    worker.shutdown(DRAIN).await;
    let used = jobs::endpoints(&house.db, id).await.unwrap();
    let of = |name: &str| used.iter().find(|used| used.name == name).map(|used| used.totals);
    let (bad_used, good_used) = (of("bad").unwrap_or_default(), of("good").unwrap());
    assert_eq!(good_used.documents, 12);
    assert!(bad.requests() > 0, "the other was never asked: the test shows nothing");
    assert_eq!(bad_used.completion_tokens, 30 * u64::from(bad.requests()));
    let all = bad_used.completion_tokens + good_used.completion_tokens;
    assert_eq!(ended.usage.completion_tokens, all);
}
