//! Looking at mixed corpora and their revisions.

use hornbook_types::{CorpusSpec, CorpusState, MixedManifest};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Mixed, MixedRevision, MixedSummary};
use crate::convert::{from_sql, from_sql32, page_rows};
use crate::{Db, DbError};

const SELECT: &str =
    "SELECT m.id, m.name, m.state, m.spec, m.error_code, m.error_message, m.created_at,
        m.started_at, m.finished_at, m.revision, k.commit_id, k.partial,
        (k.manifest #>> '{content,rows}')::bigint AS rows,
        (k.manifest #>> '{content,tokens}')::bigint AS tokens, k.created_at AS published_at
   FROM mixed_corpora AS m LEFT JOIN corpora AS k ON k.id = m.corpus_id
  WHERE m.deleting_at IS NULL";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    state: String,
    spec: Json<CorpusSpec>,
    error_code: Option<String>,
    error_message: Option<String>,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    revision: i64,
    commit_id: Option<String>,
    partial: Option<bool>,
    rows: Option<i64>,
    tokens: Option<i64>,
    published_at: Option<OffsetDateTime>,
}

impl Row {
    fn into_mixed(self) -> Result<Mixed, DbError> {
        let published = self.commit_id.zip(self.published_at).map(|(commit, created_at)| {
            let number = |stored: Option<i64>| stored.map_or(0, from_sql);
            MixedSummary {
                commit,
                partial: self.partial.unwrap_or(true),
                rows: number(self.rows),
                tokens: number(self.tokens),
                created_at,
            }
        });
        Ok(Mixed {
            id: self.id,
            name: self.name,
            state: parse_state(&self.state)?,
            spec: self.spec.0,
            error: self.error_code.zip(self.error_message),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            revision: self.revision,
            published,
        })
    }
}

pub(super) fn parse_state(name: &str) -> Result<CorpusState, DbError> {
    CorpusState::parse(name).ok_or_else(|| DbError::Other("stored state is unknown".to_owned()))
}

/// One mixed corpus.
pub async fn get(db: &Db, id: Uuid) -> Result<Mixed, DbError> {
    sqlx::query_as::<_, Row>(AssertSqlSafe(format!("{SELECT} AND m.id = $1")))
        .bind(id)
        .fetch_optional(db.pool())
        .await?
        .ok_or(DbError::NotFound("corpus"))?
        .into_mixed()
}

/// Mixed corpora, newest first; `before` is the id that the previous page ended with.
pub async fn list(
    db: &Db,
    before: Option<Uuid>,
    state: Option<CorpusState>,
    limit: u32,
) -> Result<Vec<Mixed>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "{SELECT} AND ($1::uuid IS NULL OR m.id < $1) AND ($2::text IS NULL OR m.state = $2)
          ORDER BY m.id DESC LIMIT $3"
    )))
    .bind(before)
    .bind(state.map(CorpusState::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_mixed).collect()
}

const REVISION: &str =
    "SELECT k.commit_id, k.revision, k.partial, k.manifest, k.location, k.created_at
   FROM corpora AS k JOIN mixed_corpora AS m ON m.id = k.mixed_id AND m.deleting_at IS NULL
  WHERE m.id = $1";

#[derive(sqlx::FromRow)]
struct RevisionRow {
    commit_id: String,
    revision: i32,
    partial: bool,
    manifest: Json<MixedManifest>,
    location: String,
    created_at: OffsetDateTime,
}

impl From<RevisionRow> for MixedRevision {
    fn from(row: RevisionRow) -> Self {
        Self {
            commit: row.commit_id,
            revision: from_sql32(row.revision),
            partial: row.partial,
            manifest: row.manifest.0,
            location: row.location,
            created_at: row.created_at,
        }
    }
}

/// The current revision of a mixed corpus: what `main` names.
pub async fn by_id(db: &Db, id: Uuid) -> Result<MixedRevision, DbError> {
    let row: Option<RevisionRow> =
        sqlx::query_as(AssertSqlSafe(format!("{REVISION} AND k.id = m.corpus_id")))
            .bind(id)
            .fetch_optional(db.pool())
            .await?;
    Ok(row.ok_or(DbError::NotFound("corpus"))?.into())
}

/// One revision of a mixed corpus, by its commit.
pub async fn revision(db: &Db, id: Uuid, commit: &str) -> Result<MixedRevision, DbError> {
    let row: Option<RevisionRow> =
        sqlx::query_as(AssertSqlSafe(format!("{REVISION} AND k.commit_id = $2")))
            .bind(id)
            .bind(commit)
            .fetch_optional(db.pool())
            .await?;
    Ok(row.ok_or(DbError::NotFound("corpus"))?.into())
}
