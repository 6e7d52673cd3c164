//! Quotas of accepted documents: what is wanted still, and what there is below a chunk.
//!
//! Why a prompt may be skipped: a corpus takes the first n accepted documents of a line, by `seq`.
//! Once n of them are stored below some `seq`, the n-th accepted one of the finished job lies below it
//! too, whatever becomes of the others: stored documents that were accepted never go away (a retry
//! deletes failed ones only), and more of them can only move the n-th further down. So nothing at or
//! above that `seq` can be among the first n, and sending it would change nothing but the bill.

use hornbook_types::limits::{CHUNK_PROMPTS_MAX, CHUNK_PROMPTS_MIN, LEASE_SECONDS};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::convert::{from_sql, to_sql};
use crate::jobs::Locked;
use crate::{Db, DbError, limits};

/// How many prompts the next chunk of a job may have; the job's row is locked.
///
/// Towards the end of a job what is left is divided among the workers, so that none of them finishes
/// it alone while the others stand by.
pub(super) async fn room(tx: &mut PgConnection, job: &Locked) -> Result<i64, DbError> {
    let (room, workers): (i64, i64) = sqlx::query_as(
        "SELECT job_room(j), (SELECT count(*) FROM workers AS w
                  WHERE w.heartbeat_at > clock_timestamp() - make_interval(secs => $2))
           FROM jobs AS j WHERE j.id = $1",
    )
    .bind(job.id)
    .bind(LEASE_SECONDS as f64)
    .fetch_one(tx)
    .await?;
    let part = room / workers.max(1) + i64::from(room % workers.max(1) > 0);
    Ok(part.max(to_sql(CHUNK_PROMPTS_MIN)).min(room))
}

/// Accepted documents by line in done chunks below `chunk`; `None` for a job that asks for prompts.
///
/// What lies above is taken from the sums of blocks, so that a chunk costs the same in a job of many.
pub(super) async fn accepted_below(
    tx: &mut PgConnection,
    job: Uuid,
    chunk: i64,
) -> Result<Option<Vec<u64>>, DbError> {
    let lines: Option<Vec<i64>> = sqlx::query_scalar(
        "SELECT CASE WHEN j.quotas IS NOT NULL THEN (
                SELECT array_agg(u.accepted - coalesce(above.accepted, 0) ORDER BY u.line)
                  FROM unnest(j.line_accepted) WITH ORDINALITY AS u (accepted, line)
                  LEFT JOIN (
                      SELECT v.line, sum(v.accepted)::bigint AS accepted FROM (
                          SELECT b.line_accepted FROM job_line_blocks AS b
                           WHERE b.job_id = $1 AND b.block > $2 / $3
                          UNION ALL
                          SELECT c.line_accepted FROM job_chunks AS c
                           WHERE c.job_id = $1 AND c.chunk > $2 AND c.chunk < ($2 / $3 + 1) * $3
                             AND c.state = 'done') AS part
                       CROSS JOIN LATERAL unnest(part.line_accepted) WITH ORDINALITY AS v (accepted, line)
                       GROUP BY v.line
                  ) AS above ON above.line = u.line) END
           FROM jobs AS j WHERE j.id = $1",
    )
    .bind(job)
    .bind(chunk)
    .bind(limits::LINE_BLOCK_CHUNKS)
    .fetch_one(tx)
    .await?;
    Ok(lines.map(|lines| lines.into_iter().map(from_sql).collect()))
}

/// Ends a job's plan when every line has its quota; the job's row is locked.
///
/// Every prompt after the last chunk is skipped then, for the reason given above.
pub(super) async fn close(tx: &mut PgConnection, job: Uuid) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE jobs SET skipped = skipped + total - next_seq, next_seq = total
          WHERE id = $1 AND quotas IS NOT NULL AND next_seq < total
            AND NOT EXISTS (SELECT FROM unnest(quotas, line_accepted) AS u (q, a) WHERE u.a < u.q)",
    )
    .bind(job)
    .execute(tx)
    .await?;
    Ok(())
}

/// Numbers of the accepted documents of a chunk `lo..hi`, in order: what its next owner has in hand.
pub async fn accepted_seqs(db: &Db, job: Uuid, lo: u64, hi: u64) -> Result<Vec<u64>, DbError> {
    let seqs: Vec<i64> = sqlx::query_scalar(
        "SELECT seq FROM documents
          WHERE job_id = $1 AND seq >= $2 AND seq < $3 AND verdict = 'accepted' ORDER BY seq LIMIT $4",
    )
    .bind(job)
    .bind(to_sql(lo))
    .bind(to_sql(hi))
    .bind(to_sql(CHUNK_PROMPTS_MAX))
    .fetch_all(db.pool())
    .await?;
    Ok(seqs.into_iter().map(from_sql).collect())
}
