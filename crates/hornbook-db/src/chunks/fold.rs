//! Adding a chunk's counts to its job's, or taking them out again.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{DbError, limits};

/// Whether a chunk's counts come to its job's or leave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The chunk is done now.
    Plus,
    /// The chunk is opened again.
    Minus,
}

/// Folds one chunk; the job's row must be locked, which keeps the cells to one writer as well.
///
/// A job's counters are always the sums over its chunks that are done, no more and no less.
pub(crate) async fn fold(
    tx: &mut PgConnection,
    job: Uuid,
    chunk: i64,
    sign: Sign,
) -> Result<(), DbError> {
    let factor: i64 = match sign {
        Sign::Plus => 1,
        Sign::Minus => -1,
    };
    let folded: Option<bool> = sqlx::query_scalar(
        "UPDATE jobs AS j SET accepted = j.accepted + $3 * c.accepted,
                rejected = j.rejected + $3 * c.rejected, failed = j.failed + $3 * c.failed,
                prompt_tokens = j.prompt_tokens + $3 * c.prompt_tokens,
                completion_tokens = j.completion_tokens + $3 * c.completion_tokens,
                cached_tokens = j.cached_tokens + $3 * c.cached_tokens, usd = j.usd + $3 * c.usd,
                skipped = j.skipped + $3 * c.skipped,
                line_accepted = CASE WHEN c.line_accepted IS NULL THEN j.line_accepted ELSE (
                    SELECT array_agg(coalesce(u.job, 0) + $3 * coalesce(u.chunk, 0) ORDER BY u.line)
                      FROM unnest(j.line_accepted, c.line_accepted) WITH ORDINALITY AS u (job, chunk, line)) END
           FROM job_chunks AS c WHERE j.id = $1 AND c.job_id = $1 AND c.chunk = $2
         RETURNING c.line_accepted IS NOT NULL",
    )
    .bind(job)
    .bind(chunk)
    .bind(factor)
    .fetch_optional(&mut *tx)
    .await?;
    if folded.ok_or(DbError::NotFound("chunk"))? {
        fold_lines(tx, job, chunk, factor).await?;
    }
    sqlx::query(
        "INSERT INTO job_cells (job_id, audience, format, verdict, reason, count, tokens)
         SELECT $1, split_part(e.key, ' ', 1), split_part(e.key, ' ', 2), split_part(e.key, ' ', 3),
                array_to_string((string_to_array(e.key, ' '))[4:], ' '),
                $3 * (e.value ->> 0)::bigint, $3 * (e.value ->> 1)::bigint
           FROM job_chunks AS c CROSS JOIN LATERAL jsonb_each(c.cells) AS e
          WHERE c.job_id = $1 AND c.chunk = $2
         ON CONFLICT (job_id, audience, format, verdict, reason) DO UPDATE
            SET count = job_cells.count + excluded.count, tokens = job_cells.tokens + excluded.tokens",
    )
    .bind(job)
    .bind(chunk)
    .bind(factor)
    .execute(&mut *tx)
    .await?;
    fold_endpoints(tx, job, chunk, factor).await
}

/// A chunk's accepted documents by line go to the sums of its block.
async fn fold_lines(
    tx: &mut PgConnection,
    job: Uuid,
    chunk: i64,
    factor: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO job_line_blocks AS t (job_id, block, line_accepted)
         SELECT $1, c.chunk / $4, (SELECT array_agg($3 * u.accepted ORDER BY u.line)
                  FROM unnest(c.line_accepted) WITH ORDINALITY AS u (accepted, line))
           FROM job_chunks AS c WHERE c.job_id = $1 AND c.chunk = $2
         ON CONFLICT (job_id, block) DO UPDATE SET line_accepted = (
             SELECT array_agg(coalesce(u.sum, 0) + coalesce(u.part, 0) ORDER BY u.line)
               FROM unnest(t.line_accepted, excluded.line_accepted) WITH ORDINALITY AS u (sum, part, line))",
    )
    .bind(job)
    .bind(chunk)
    .bind(factor)
    .bind(limits::LINE_BLOCK_CHUNKS)
    .execute(tx)
    .await?;
    Ok(())
}

/// What each endpoint did goes to the job and to the endpoint's own sum, always in the order of names.
async fn fold_endpoints(
    tx: &mut PgConnection,
    job: Uuid,
    chunk: i64,
    factor: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "WITH part AS (
             SELECT e.key AS endpoint, $3 * (e.value ->> 0)::bigint AS documents,
                    $3 * (e.value ->> 1)::bigint AS prompt, $3 * (e.value ->> 2)::bigint AS answer,
                    $3 * (e.value ->> 3)::float8 AS usd
               FROM job_chunks AS c CROSS JOIN LATERAL jsonb_each(c.endpoints) AS e
              WHERE c.job_id = $1 AND c.chunk = $2 ORDER BY e.key
         ), total AS (
             INSERT INTO endpoint_usage AS t (endpoint, documents, prompt_tokens, completion_tokens, usd)
             SELECT endpoint, documents, prompt, answer, usd FROM part
             ON CONFLICT (endpoint) DO UPDATE SET documents = t.documents + excluded.documents,
                prompt_tokens = t.prompt_tokens + excluded.prompt_tokens,
                completion_tokens = t.completion_tokens + excluded.completion_tokens,
                usd = t.usd + excluded.usd
         )
         INSERT INTO job_endpoints AS t (job_id, endpoint, documents, prompt_tokens, completion_tokens, usd)
         SELECT $1, endpoint, documents, prompt, answer, usd FROM part
         ON CONFLICT (job_id, endpoint) DO UPDATE SET documents = t.documents + excluded.documents,
            prompt_tokens = t.prompt_tokens + excluded.prompt_tokens,
            completion_tokens = t.completion_tokens + excluded.completion_tokens,
            usd = t.usd + excluded.usd",
    )
    .bind(job)
    .bind(chunk)
    .bind(factor)
    .execute(tx)
    .await?;
    Ok(())
}
