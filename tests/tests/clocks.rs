//! Leases live on the database's clock: what a worker's clock on the wall says matters nowhere, and a jump of
//! the database's costs requests, never documents.

use std::time::Duration;

use hornbook_tests::database::TestDatabase;
use hornbook_tests::job::small_job;
use hornbook_tests::mock_endpoint::{MockConfig, MockEndpoint};
use hornbook_tests::service::Service;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;

/// Requests under way at once.
const IN_FLIGHT: u32 = 16;
/// Longest time for a job that has no reason to wait.
const WITHIN: Duration = Duration::from_secs(60);
/// What a lease lasts.
const LEASE: Duration = Duration::from_secs(30);

/// A database whose clock can be turned: every unqualified question for the time is answered so much off.
struct Clock {
    connection: PgConnection,
}

impl Clock {
    /// Gives a database such a clock, for all sessions that begin from now on.
    async fn install(database: &TestDatabase) -> Self {
        let mut connection = database.connect().await;
        let name: String = sqlx::query_scalar("SELECT current_database()::text")
            .fetch_one(&mut connection)
            .await
            .expect("the database's name");
        let install = format!(
            "CREATE SCHEMA clock;
             CREATE TABLE clock.turned (by_how_much interval NOT NULL);
             INSERT INTO clock.turned VALUES ('0');
             CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
                'SELECT pg_catalog.clock_timestamp() + (SELECT by_how_much FROM clock.turned)';
             CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS
                'SELECT pg_catalog.now() + (SELECT by_how_much FROM clock.turned)';
             ALTER DATABASE {name} SET search_path = public, clock, pg_catalog"
        );
        sqlx::raw_sql(AssertSqlSafe(install)).execute(&mut connection).await.expect("a clock");
        // The session that made it has the path of before.
        Self { connection: database.connect().await }
    }

    /// Turns it to so many hours from the true time.
    async fn turn(&mut self, hours: i32) {
        sqlx::query("UPDATE clock.turned SET by_how_much = make_interval(hours => $1)")
            .bind(hours)
            .execute(&mut self.connection)
            .await
            .expect("turning the clock");
    }

    /// Waits until no other session is left.
    async fn until_alone(&mut self) {
        let others = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let deadline = Instant::now() + WITHIN;
        while sqlx::query_scalar::<_, i64>(others)
            .fetch_one(&mut self.connection)
            .await
            .expect("counting sessions")
            > 0
        {
            assert!(Instant::now() < deadline, "the dead service's sessions stay");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Leases that end within a lease's time from now, as this clock and no other has it.
    async fn leases(&mut self) -> i64 {
        let query = "SELECT count(*) FROM job_chunks
                      WHERE state = 'leased' AND lease_expires_at
                            BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => $1)";
        sqlx::query_scalar(query)
            .bind(LEASE.as_secs_f64() + 1.0)
            .fetch_one(&mut self.connection)
            .await
            .expect("counting leases")
    }
}

/// A service on such a database, with a mock behind it.
async fn house() -> (Clock, Service, MockEndpoint) {
    let mock = MockEndpoint::start(MockConfig::after(Duration::from_millis(50))).await;
    let database = TestDatabase::create().await;
    let clock = Clock::install(&database).await;
    let service = Service::start(&database).await;
    service.add_endpoint("mock", &mock.base_url(), IN_FLIGHT).await;
    (clock, service, mock)
}

async fn until_stored(service: &Service, job: &str, documents: u64) {
    let enough = |job: &serde_json::Value| job["counts"]["accepted"].as_u64() >= Some(documents);
    service.wait_for(job, WITHIN, enough).await;
}

async fn assert_every_seq_once(service: &Service, job: &str, prompts: u64) {
    let ended = service.wait_for_end(job, WITHIN).await;
    assert_eq!(
        (&ended["state"], &ended["counts"]["accepted"]),
        (&json!("succeeded"), &json!(prompts)),
        "{ended}"
    );
    assert_eq!(service.seqs(job).await, (0..prompts).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_is_a_day_off_works_as_any() {
    // Some are left whenever a busy machine gets round to look.
    let prompts = 1_200;
    for hours in [24, -24] {
        let (mut clock, service, mock) = house().await;
        clock.turn(hours).await;
        let job = service.submit(&small_job("mock", prompts)).await;
        until_stored(&service, &job, 50).await;
        assert!(clock.leases().await > 0, "the leases know another clock");
        assert_every_seq_once(&service, &job, prompts).await;
        assert_eq!(mock.requests() as u64, prompts, "{hours} hours off, prompts were asked twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_of_the_dead_run_out_when_the_database_says_so() {
    let prompts = 1_600;
    let (mut clock, mut service, _mock) = house().await;
    let job = service.submit(&small_job("mock", prompts)).await;
    until_stored(&service, &job, 100).await;
    service.kill().await;
    // What the dead service sent last may still be under way, and would be leased by the turned clock.
    clock.until_alone().await;
    assert!(clock.leases().await > 0, "nothing was leased: the kill came too late");
    clock.turn(1).await;
    let turned = Instant::now();
    service.restart().await;
    assert_every_seq_once(&service, &job, prompts).await;
    let took = turned.elapsed();
    assert!(took < LEASE - Duration::from_secs(5), "took {took:?}: a lease was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_clock_that_jumps_costs_requests_and_no_document() {
    let prompts = 1_500;
    let (mut clock, service, mock) = house().await;
    let job = service.submit(&small_job("mock", prompts)).await;
    until_stored(&service, &job, prompts / 4).await;
    clock.turn(1).await;
    until_stored(&service, &job, prompts / 2).await;
    clock.turn(-1).await;
    assert_every_seq_once(&service, &job, prompts).await;
    let again = mock.requests() as u64 - prompts;
    println!(
        "{prompts} prompts across a jump forward and one back: {again} requests were sent again"
    );
    // Once for each jump: what was under way or not yet stored when the leases were lost.
    assert!(again <= 2 * 4 * u64::from(IN_FLIGHT), "{again} requests were sent again");
}
