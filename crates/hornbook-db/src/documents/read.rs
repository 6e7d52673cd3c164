//! Reading documents by keyset pages, so that page 30,000 costs what page 1 costs.

use hornbook_types::{Document, FinishReason, Pinned, Usage, Verdict};
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Filter, StoredDocument};
use crate::convert::{from_sql, from_sql32, name, page_rows, to_sql};
use crate::{Db, DbError};

const COLUMNS: &str =
    "seq, seed_seq, sampling_seed, prompt_tokens, completion_tokens, cached_tokens,
    created_at, latency_ms, audience_version, template_version, verdict, reason, audience, template,
    format, endpoint, model, finish_reason, error, scores, seed_data, prompt, text";

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    seed_seq: i64,
    sampling_seed: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    cached_tokens: i64,
    created_at: OffsetDateTime,
    latency_ms: i64,
    audience_version: i32,
    template_version: i32,
    verdict: String,
    reason: Option<String>,
    audience: String,
    template: String,
    format: String,
    endpoint: String,
    model: String,
    finish_reason: String,
    error: Option<String>,
    scores: Json<Map<String, Value>>,
    seed_data: Json<Map<String, Value>>,
    prompt: String,
    text: String,
}

impl Row {
    fn into_document(self) -> Result<StoredDocument, DbError> {
        let document = Document {
            seq: from_sql(self.seq),
            prompt: self.prompt,
            text: self.text,
            usage: Usage {
                prompt_tokens: from_sql(self.prompt_tokens),
                completion_tokens: from_sql(self.completion_tokens),
                cached_tokens: from_sql(self.cached_tokens),
            },
            audience: Pinned {
                slug: name(&self.audience, "audience")?,
                version: from_sql32(self.audience_version),
            },
            template: Pinned {
                slug: name(&self.template, "template")?,
                version: from_sql32(self.template_version),
            },
            format: name(&self.format, "format")?,
            seed_seq: from_sql(self.seed_seq),
            seed_data: self.seed_data.0,
            endpoint: name(&self.endpoint, "endpoint")?,
            model: self.model,
            sampling_seed: self.sampling_seed.cast_unsigned(),
            finish_reason: FinishReason::from(self.finish_reason),
            latency_ms: u32::try_from(self.latency_ms).unwrap_or(u32::MAX),
            verdict: Verdict::parse(&self.verdict)
                .ok_or_else(|| DbError::Other("stored verdict is unknown".to_owned()))?,
            reason: self.reason,
            error: self.error,
            scores: self.scores.0,
        };
        Ok(StoredDocument { document, created_at: self.created_at })
    }
}

/// Up to `limit` documents with numbers above `after`, in order.
pub async fn page(
    db: &Db,
    job: Uuid,
    filter: &Filter,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredDocument>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM documents
          WHERE job_id = $1 AND seq > $2 AND ($3::text IS NULL OR verdict = $3)
            AND ($4::text IS NULL OR reason = $4) AND ($5::text IS NULL OR audience = $5)
            AND ($6::text IS NULL OR format = $6)
          ORDER BY seq LIMIT $7"
    )))
    .bind(job)
    .bind(after.map_or(-1, to_sql))
    .bind(filter.verdict.map(Verdict::as_str))
    .bind(&filter.reason)
    .bind(filter.audience.as_ref().map(|slug| slug.as_str()))
    .bind(filter.format.as_ref().map(|slug| slug.as_str()))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_document).collect()
}

/// One document.
pub async fn get(db: &Db, job: Uuid, seq: u64) -> Result<StoredDocument, DbError> {
    sqlx::query_as::<_, Row>(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM documents WHERE job_id = $1 AND seq = $2
            AND EXISTS (SELECT FROM jobs WHERE id = $1 AND deleting_at IS NULL)"
    )))
    .bind(job)
    .bind(to_sql(seq))
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("document"))?
    .into_document()
}

/// Up to `limit` documents above `after` and below `end`, in order: what the assembler reads.
pub async fn export_page(
    db: &Db,
    job: Uuid,
    after: Option<u64>,
    end: u64,
    limit: u32,
    accepted_only: bool,
) -> Result<Vec<Document>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM documents
          WHERE job_id = $1 AND seq > $2 AND seq < $3 AND (NOT $4 OR verdict = 'accepted')
          ORDER BY seq LIMIT $5"
    )))
    .bind(job)
    .bind(after.map_or(-1, to_sql))
    .bind(to_sql(end))
    .bind(accepted_only)
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(|row| Ok(row.into_document()?.document)).collect()
}

/// What became of one prompt, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptOutcome {
    /// Number of the prompt.
    pub seq: u64,
    /// Accepted, rejected or failed.
    pub verdict: Verdict,
    /// The gate's name when rejected, the error's code when failed.
    pub reason: String,
}

/// Up to `limit` outcomes above `after`, in order: what says which documents a quota takes.
pub async fn outcomes(
    db: &Db,
    job: Uuid,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<PromptOutcome>, DbError> {
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT seq, verdict, coalesce(reason, '') FROM documents
          WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    )
    .bind(job)
    .bind(after.map_or(-1, to_sql))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|(seq, verdict, reason)| {
            let verdict = Verdict::parse(&verdict)
                .ok_or_else(|| DbError::Other("stored verdict is unknown".to_owned()))?;
            Ok(PromptOutcome { seq: from_sql(seq), verdict, reason })
        })
        .collect()
}

/// How many documents of `lo..hi` were accepted: what an exported segment must hold to be whole.
pub async fn count_accepted(db: &Db, job: Uuid, lo: u64, hi: u64) -> Result<u64, DbError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM documents
          WHERE job_id = $1 AND seq >= $2 AND seq < $3 AND verdict = 'accepted'",
    )
    .bind(job)
    .bind(to_sql(lo))
    .bind(to_sql(hi))
    .fetch_one(db.pool())
    .await?;
    Ok(from_sql(count))
}
