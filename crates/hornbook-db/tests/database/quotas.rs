//! Jobs that ask for accepted documents: how many prompts are worth sending, and what lies below a chunk.

use hornbook_db::{chunks, jobs};
use hornbook_types::{JobState, LineQuota, PinnedJobSpec};
use uuid::Uuid;

use crate::common::TestDb;
use crate::fixtures::{accepted, claim, failed, force_state, spec};

/// A job that wants so many accepted documents of each of two lines.
async fn wanting(test: &TestDb, accepted: u64, total: u64) -> Uuid {
    let id = Uuid::now_v7();
    let mut pinned = spec(total);
    pinned.lines[0].quota = Some(LineQuota { accepted, weight: 500_000 });
    let lines = vec![pinned.lines[0].clone(), pinned.lines[0].clone()];
    jobs::submit(&test.db, id, &PinnedJobSpec { lines, ..pinned }).await.unwrap();
    id
}

async fn room(test: &TestDb) -> i64 {
    test.number("SELECT job_room(j) FROM jobs AS j").await
}

#[tokio::test]
async fn a_line_that_lacks_documents_gets_prompts_whatever_the_others_have() {
    let test = TestDb::new().await;
    let id = wanting(&test, 50, 300).await;
    assert_eq!(room(&test).await, 100, "before anything is known all are hoped to be accepted");
    // Of a hundred prompts the first line had its fifty accepted, the second thirty. Of the next
    // forty only the second line's twenty are sent: fifteen have ended, eight of them accepted.
    test.sql(
        "UPDATE jobs SET state = 'running', next_seq = 140, next_chunk = 2, accepted = 80, rejected = 20,
                line_accepted = '{50,30}'",
    )
    .await;
    test.sql(&format!(
        "INSERT INTO job_chunks (job_id, chunk, lo, hi, state, accepted, rejected, line_accepted)
         VALUES ('{id}', 0, 0, 100, 'done', 80, 20, '{{50,30}}')"
    ))
    .await;
    test.sql(&format!(
        "INSERT INTO job_chunks (job_id, chunk, lo, hi, state, lease_token, lease_owner, lease_expires_at,
                accepted, rejected, useful)
         VALUES ('{id}', 1, 100, 140, 'leased', nextval('lease_tokens'), gen_random_uuid(), now() + interval '1 minute', 8, 7, 0.5)"
    ))
    .await;
    // Twelve are wanted beyond those eight; five are under way, of which three will do; nine more at
    // three in five are fifteen of the second line, and so thirty prompts.
    assert_eq!(room(&test).await, 30);
    test.sql("UPDATE job_chunks SET accepted = 15, rejected = 0 WHERE chunk = 1").await;
    // Two are wanted, and as many are to be hoped for of the five.
    assert_eq!(room(&test).await, 7);
    test.sql("UPDATE jobs SET line_accepted = '{50,40}'").await;
    assert_eq!(room(&test).await, 0, "enough is under way");
    // What is cut next says which part of it is of use.
    test.sql("UPDATE jobs SET line_accepted = '{50,30}'").await;
    let lease = claim(&test.db, Uuid::now_v7(), 64).await.unwrap();
    assert_eq!((lease.lo, lease.hi), (140, 147));
    assert_eq!(
        test.number("SELECT (useful * 100)::bigint FROM job_chunks WHERE chunk = 2").await,
        50
    );
}

#[tokio::test]
async fn what_lies_below_a_chunk_is_summed_over_blocks() {
    let test = TestDb::new().await;
    let id = wanting(&test, 10_000, 20_000).await;
    test.sql(&format!(
        "INSERT INTO job_chunks (job_id, chunk, lo, hi, state, accepted, skipped, line_accepted)
         SELECT '{id}', n, n * 4, n * 4 + 4, 'done', n % 3 + n % 2, 4 - n % 3 - n % 2,
                ARRAY[n % 3, n % 2] FROM generate_series(0, 999) AS n"
    ))
    .await;
    test.sql(&format!(
        "INSERT INTO job_line_blocks
         SELECT '{id}', chunk / 256, ARRAY[sum(line_accepted[1])::bigint, sum(line_accepted[2])::bigint]
           FROM job_chunks GROUP BY 2"
    ))
    .await;
    test.sql(
        "UPDATE jobs SET (accepted, skipped, line_accepted) = (
             SELECT sum(accepted), sum(skipped), ARRAY[sum(line_accepted[1])::bigint, sum(line_accepted[2])::bigint]
               FROM job_chunks), next_seq = 4000, next_chunk = 1000",
    )
    .await;
    // Two chunks failed altogether, in the middle of a block and at the beginning of one.
    for chunk in [300, 512] {
        test.sql(&format!(
            "UPDATE jobs AS j SET accepted = j.accepted - c.accepted, skipped = j.skipped - c.skipped,
                    failed = j.failed + 4, line_accepted = ARRAY[j.line_accepted[1] - c.line_accepted[1],
                        j.line_accepted[2] - c.line_accepted[2]]
               FROM job_chunks AS c WHERE c.chunk = {chunk}"
        ))
        .await;
        test.sql(&format!(
            "UPDATE job_line_blocks AS b SET line_accepted = ARRAY[b.line_accepted[1] - c.line_accepted[1],
                        b.line_accepted[2] - c.line_accepted[2]]
               FROM job_chunks AS c WHERE c.chunk = {chunk} AND b.block = {chunk} / 256"
        ))
        .await;
        test.sql(&format!(
            "UPDATE job_chunks SET accepted = 0, skipped = 0, failed = 4, line_accepted = '{{0,0}}'
              WHERE chunk = {chunk}"
        ))
        .await;
        let (lo, hi) = (chunk * 4, chunk * 4 + 4);
        insert_failed(&test, id, chunk, lo, hi).await;
    }
    force_state(&test, id, JobState::SucceededWithErrors).await;
    jobs::retry(&test.db, id, None).await.unwrap();
    for chunk in [300, 512] {
        let lease = claim(&test.db, Uuid::now_v7(), 4).await.unwrap();
        assert_eq!(lease.key.chunk, chunk);
        let below = lease.line_accepted.clone().unwrap();
        for line in [1, 2] {
            let sum = test
                .number(&format!(
                    "SELECT sum(line_accepted[{line}])::bigint FROM job_chunks
                      WHERE chunk < {chunk} AND state = 'done'"
                ))
                .await;
            assert_eq!(below[line - 1], sum as u64, "line {line} below chunk {chunk}");
        }
        let rows: Vec<_> = (lease.lo..lease.hi).map(accepted).collect();
        hornbook_db::documents::commit_group(&test.db, &lease.key, &rows, 0.0).await.unwrap();
        let part = chunks::QuotaPart { skipped: 0, line_accepted: vec![3, 1] };
        chunks::finish_quota(&test.db, &lease.key, Some(&part)).await.unwrap();
    }
    let wrong = "SELECT count(*) FROM job_line_blocks AS b WHERE line_accepted <> (
            SELECT ARRAY[sum(c.line_accepted[1])::bigint, sum(c.line_accepted[2])::bigint]
              FROM job_chunks AS c WHERE c.chunk / 256 = b.block AND c.state = 'done')";
    assert_eq!(test.number(wrong).await, 0, "the blocks are the sums of their chunks");
    assert_eq!(test.number("SELECT count(*) FROM job_line_blocks").await, 4);
}

/// Documents of a chunk that was done by other means, so that a retry has something to take away.
async fn insert_failed(test: &TestDb, id: Uuid, chunk: i64, lo: i64, hi: i64) {
    let lease = format!(
        "UPDATE job_chunks SET state = 'leased', lease_token = nextval('lease_tokens'), failed = 0,
                lease_owner = gen_random_uuid(), lease_expires_at = now() + interval '1 minute'
          WHERE chunk = {chunk}"
    );
    test.sql(&lease).await;
    let token =
        test.number(&format!("SELECT lease_token FROM job_chunks WHERE chunk = {chunk}")).await;
    let key = chunks::LeaseKey { job_id: id, chunk, token: chunks::LeaseToken(token) };
    let rows: Vec<_> =
        (lo..hi).map(|seq| failed(u64::try_from(seq).unwrap(), "http_500")).collect();
    hornbook_db::documents::commit_group(&test.db, &key, &rows, 0.0).await.unwrap();
    test.sql(&format!(
        "UPDATE job_chunks SET state = 'done', lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
          WHERE chunk = {chunk}"
    ))
    .await;
}
