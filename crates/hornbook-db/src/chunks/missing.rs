//! Which prompts have not ended.

use uuid::Uuid;

use crate::convert::{from_sql, to_sql};
use crate::{Db, DbError};

/// A range of prompts, `lo..hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First prompt.
    pub lo: u64,
    /// One past the last prompt.
    pub hi: u64,
}

/// Prompts of `lo..hi` without a document, in order: what an owner that takes a chunk over has to do.
pub async fn missing(db: &Db, job: Uuid, lo: u64, hi: u64) -> Result<Vec<u64>, DbError> {
    let seqs: Vec<i64> = sqlx::query_scalar(
        "SELECT s FROM generate_series($2::bigint, $3::bigint - 1) AS s
          WHERE NOT EXISTS (SELECT FROM documents AS d WHERE d.job_id = $1 AND d.seq = s)
          ORDER BY s",
    )
    .bind(job)
    .bind(to_sql(lo))
    .bind(to_sql(hi))
    .fetch_all(db.pool())
    .await?;
    Ok(seqs.into_iter().map(from_sql).collect())
}

/// One past the last prompt that any chunk covers; nothing beyond it has a document.
pub async fn covered(db: &Db, job: Uuid) -> Result<u64, DbError> {
    let hi: Option<i64> = sqlx::query_scalar(
        "SELECT hi FROM job_chunks WHERE job_id = $1 ORDER BY chunk DESC LIMIT 1",
    )
    .bind(job)
    .fetch_optional(db.pool())
    .await?;
    Ok(hi.map_or(0, from_sql))
}

/// Ranges whose chunks are not done, in order, ending with what no chunk covers yet.
///
/// A segment may be exported when none of these touches it.
pub async fn open(db: &Db, job: Uuid) -> Result<Vec<Span>, DbError> {
    let spans: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT lo, hi FROM job_chunks WHERE job_id = $1 AND state <> 'done'
          UNION ALL
         SELECT next_seq, total FROM jobs WHERE id = $1 AND next_seq < total
          ORDER BY 1",
    )
    .bind(job)
    .fetch_all(db.pool())
    .await?;
    Ok(spans.into_iter().map(|(lo, hi)| Span { lo: from_sql(lo), hi: from_sql(hi) }).collect())
}
