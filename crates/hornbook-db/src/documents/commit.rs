//! The hot path: one group of finished documents, one round trip.

use hornbook_types::Document;
use hornbook_types::limits::{CHUNK_OWNER_DEATHS, LEASE_SECONDS};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::types::Json;

use super::cost::by_endpoint;
use super::{Bill, Committed};
use crate::chunks::LeaseKey;
use crate::convert::{from_sql, json_text, to_sql, to_sql32};
use crate::{Db, DbError};

/// Stores finished documents of one chunk, all or none, and adds them to the chunk's counts.
///
/// Documents that are there already stay as they are and are not counted again, so a group whose
/// outcome is unknown after a lost connection can simply be sent again. `usd` is what the group
/// cost, each document as much as any other; see [`commit_billed`] for what each cost. Extends the
/// lease. A lease that is held no longer is [`DbError::Fenced`], and nothing is stored; a value that
/// the database refuses is [`DbError::BadData`], see
/// [`commit_group_splitting`](super::commit_group_splitting).
pub async fn commit_group(
    db: &Db,
    key: &LeaseKey,
    documents: &[Document],
    usd: f64,
) -> Result<Committed, DbError> {
    let each = Bill { usd: usd / documents.len().max(1) as f64, wasted: Vec::new() };
    commit_billed(db, key, documents, &vec![each; documents.len()]).await
}

/// Like [`commit_group`], with a bill for each document.
pub async fn commit_billed(
    db: &Db,
    key: &LeaseKey,
    documents: &[Document],
    bills: &[Bill],
) -> Result<Committed, DbError> {
    if documents.is_empty() {
        return Ok(Committed::default());
    }
    let columns = Columns::new(documents)?;
    let query = sqlx::query_scalar(
        "SELECT commit_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)",
    )
    .bind(key.job_id)
    .bind(key.chunk)
    .bind(key.token.0)
    .bind(LEASE_SECONDS as f64)
    .bind(CHUNK_OWNER_DEATHS)
    .bind(Json(by_endpoint(documents, bills)));
    let stored: i64 = columns.bind(query).fetch_one(db.pool()).await?;
    if stored < 0 {
        return Err(DbError::Fenced);
    }
    Ok(Committed { inserted: from_sql(stored), refused: Vec::new() })
}

/// The group turned on its side: one array per column, borrowed where the type allows it.
#[derive(Default)]
struct Columns<'a> {
    seq: Vec<i64>,
    seed_seq: Vec<i64>,
    sampling_seed: Vec<i64>,
    prompt_tokens: Vec<i64>,
    completion_tokens: Vec<i64>,
    cached_tokens: Vec<i64>,
    latency_ms: Vec<i64>,
    audience: Vec<&'a str>,
    audience_version: Vec<i32>,
    template: Vec<&'a str>,
    template_version: Vec<i32>,
    format: Vec<&'a str>,
    endpoint: Vec<&'a str>,
    model: Vec<&'a str>,
    finish_reason: Vec<&'a str>,
    verdict: Vec<&'static str>,
    reason: Vec<Option<&'a str>>,
    error: Vec<Option<&'a str>>,
    scores: Vec<String>,
    seed_data: Vec<String>,
    prompt: Vec<&'a str>,
    text: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn new(documents: &'a [Document]) -> Result<Self, DbError> {
        let mut columns = Self::default();
        for document in documents {
            columns.push(document)?;
        }
        Ok(columns)
    }

    fn push(&mut self, document: &'a Document) -> Result<(), DbError> {
        self.seq.push(to_sql(document.seq));
        self.seed_seq.push(to_sql(document.seed_seq));
        // All 64 bits count here, so the sign is only how they are read.
        self.sampling_seed.push(document.sampling_seed.cast_signed());
        self.prompt_tokens.push(to_sql(document.usage.prompt_tokens));
        self.completion_tokens.push(to_sql(document.usage.completion_tokens));
        self.cached_tokens.push(to_sql(document.usage.cached_tokens));
        self.latency_ms.push(i64::from(document.latency_ms));
        self.audience.push(document.audience.slug.as_str());
        self.audience_version.push(to_sql32(document.audience.version));
        self.template.push(document.template.slug.as_str());
        self.template_version.push(to_sql32(document.template.version));
        self.format.push(document.format.as_str());
        self.endpoint.push(document.endpoint.as_str());
        self.model.push(&document.model);
        self.finish_reason.push(document.finish_reason.as_str());
        self.verdict.push(document.verdict.as_str());
        self.reason.push(document.reason.as_deref());
        self.error.push(document.error.as_deref());
        self.scores.push(json_text(&document.scores)?);
        self.seed_data.push(json_text(&document.seed_data)?);
        self.prompt.push(&document.prompt);
        self.text.push(&document.text);
        Ok(())
    }

    /// Binds in the order of the parameters of `commit_group`.
    fn bind<'q>(
        self,
        query: QueryScalar<'q, Postgres, i64, PgArguments>,
    ) -> QueryScalar<'q, Postgres, i64, PgArguments>
    where
        'a: 'q,
    {
        query
            .bind(self.seq)
            .bind(self.seed_seq)
            .bind(self.sampling_seed)
            .bind(self.prompt_tokens)
            .bind(self.completion_tokens)
            .bind(self.cached_tokens)
            .bind(self.latency_ms)
            .bind(self.audience)
            .bind(self.audience_version)
            .bind(self.template)
            .bind(self.template_version)
            .bind(self.format)
            .bind(self.endpoint)
            .bind(self.model)
            .bind(self.finish_reason)
            .bind(self.verdict)
            .bind(self.reason)
            .bind(self.error)
            .bind(self.scores)
            .bind(self.seed_data)
            .bind(self.prompt)
            .bind(self.text)
    }
}
