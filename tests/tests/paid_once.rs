//! What was paid for is kept: counted where the answers come from, across a freeze and a kill half way through.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::environment;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint, key, seed_as_sent};
use hornbook_tests::service::{Options, Service};
use hornbook_types::limits::{COMMIT_LINGER_MILLIS, COMMIT_ROWS};
use rustix::process::{Signal, kill_process};
use sqlx::PgConnection;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Requests under way at once.
const IN_FLIGHT: u32 = 64;
/// The endpoint's time for an answer.
const LATENCY: Duration = Duration::from_millis(100);
/// Longest time for the job to end; the leases of the dead run out in the meantime.
const WITHIN: Duration = Duration::from_secs(240);
/// What a busy machine adds to what was measured.
const SLACK: Duration = Duration::from_millis(100);

/// Prompts of a job.
fn prompts() -> u64 {
    if environment::full() { 20_000 } else { 2_000 }
}

/// What one commit takes here and now: the longest of those that go on beside the job.
struct CommitMeter {
    longest: Arc<Mutex<Duration>>,
    measuring: JoinHandle<()>,
}

fn note(longest: &Mutex<Duration>, took: Duration) {
    let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
    *longest = longest.max(took);
}

impl CommitMeter {
    /// Stores groups as large as the service's, again and again, in the same database.
    async fn start(mut connection: PgConnection) -> Self {
        let scratch = "CREATE TABLE commit_meter (text text NOT NULL)";
        sqlx::raw_sql(scratch).execute(&mut connection).await.expect("a table to write to");
        let longest: Arc<Mutex<Duration>> = Arc::default();
        let noted = Arc::clone(&longest);
        let measuring = tokio::spawn(async move {
            let group = "INSERT INTO commit_meter SELECT repeat(md5(n::text), 80) FROM generate_series(1, $1) AS n";
            let rows = i64::try_from(COMMIT_ROWS).expect("a small number");
            loop {
                let begun = Instant::now();
                sqlx::query(group).bind(rows).execute(&mut connection).await.expect("storing");
                note(&noted, begun.elapsed());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { longest, measuring }
    }

    async fn stop(self) -> Duration {
        self.measuring.abort();
        let _ = self.measuring.await;
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an answer may be without being stored: it waits for company, for the commit of the group before it, and
/// for its own.
fn window(commit: Duration) -> Duration {
    Duration::from_millis(COMMIT_LINGER_MILLIS) + 2 * commit + SLACK
}

async fn until_half(mock: &MockEndpoint) {
    while (mock.prompts_answered() as u64) < prompts() / 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn assert_every_seq_once(service: &Service, job: &str) {
    let ended = service.wait_for_end(job, WITHIN).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["accepted"], prompts(), "{ended}");
    assert_eq!(service.seqs(job).await, (0..prompts()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_and_killed_service_loses_no_more_than_one_window() {
    let database = TestDatabase::create().await;
    let mock = MockEndpoint::start(MockConfig::after(LATENCY)).await;
    let mut service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), IN_FLIGHT).await;
    let job = service.submit(&small_job("mock", prompts())).await;

    let meter = CommitMeter::start(database.connect().await).await;
    until_half(&mock).await;
    service.freeze().await;
    let (frozen, frozen_at) = (mock.ledger(), mock.elapsed());
    let commit = meter.stop().await;
    // What was under way is answered all the same, to nobody.
    while mock.in_flight() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    service.kill().await;
    let mut connection = database.connect().await;
    until_alone(&mut connection).await;
    let stored = stored(&mut connection, &job).await;
    let answered: BTreeSet<u64> = frozen.answered.into_keys().collect();
    // With what was on its way when nobody looked yet.
    let asked = mock.ledger().asked;
    let in_flight = asked.keys().filter(|key| !answered.contains(key)).count();
    let lost: Vec<Duration> =
        answered.difference(&stored).map(|key| frozen_at - frozen.answered_at[key]).collect();
    let oldest = lost.iter().max().copied().unwrap_or_default();

    service.restart().await;
    assert_every_seq_once(&service, &job).await;
    let again = mock.ledger().asked.values().filter(|times| **times > 1).count();
    let thrice = mock.ledger().asked.values().filter(|times| **times > 2).count();
    println!(
        "{} prompts: {} answered at the freeze, {in_flight} more under way, {} stored; {} answers were paid for and \
         lost, the oldest of them {oldest:?} old; {again} prompts were asked again; a commit takes up to {commit:?}, \
         one window is {:?}",
        prompts(),
        answered.len(),
        stored.len(),
        lost.len(),
        window(commit)
    );
    assert!(answered.len() as u64 >= prompts() / 2 && (answered.len() as u64) < prompts());
    assert!(in_flight <= IN_FLIGHT as usize, "{in_flight} under way");
    assert!(oldest <= window(commit), "an answer of {oldest:?} before was paid for and lost");
    assert!(again <= in_flight + lost.len(), "{again} prompts were asked again");
    assert_eq!(thrice, 0, "prompts were asked a third time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgres_costs_no_answer_and_no_restart() {
    let mock = MockEndpoint::start(MockConfig::after(LATENCY)).await;
    let arguments = vec!["--no-local-engine".to_owned()];
    let service = Service::start_with(Options { arguments, ..Options::default() }).await;
    service.add_endpoint("mock", &mock.base_url(), IN_FLIGHT).await;
    let job = service.submit(&small_job("mock", prompts())).await;

    until_half(&mock).await;
    let (pid, postmaster) = (service.pid(), service.postmaster());
    kill_process(postmaster, Signal::KILL).expect("killing Postgres");
    assert_every_seq_once(&service, &job).await;
    let again = mock.requests() as u64 - prompts();
    println!(
        "{} prompts: Postgres was killed half way; {again} requests were sent again",
        prompts()
    );
    assert_eq!(service.pid(), pid, "the service went on");
    assert_ne!(service.postmaster(), postmaster, "Postgres was started again");
    // What was answered is kept in memory until it can be stored.
    assert!(again <= u64::from(IN_FLIGHT), "{again} requests were sent again");
}

/// Waits until no other session is left: what the dead service sent last may still be under way.
async fn until_alone(connection: &mut PgConnection) {
    let others = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *connection).await.expect("counting")
        > 0
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Keys of the prompts whose documents are stored.
async fn stored(connection: &mut PgConnection, job: &str) -> BTreeSet<u64> {
    let query = "SELECT prompt, sampling_seed FROM documents WHERE job_id = $1::uuid";
    let rows: Vec<(String, i64)> =
        sqlx::query_as(query).bind(job).fetch_all(connection).await.expect("reading documents");
    let keys = rows.iter().map(|(prompt, seed)| key(prompt, seed_as_sent(seed.cast_unsigned())));
    keys.collect()
}
