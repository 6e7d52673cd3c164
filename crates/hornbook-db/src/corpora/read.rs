//! Looking at corpora and their files.

use hornbook_types::{CorpusFile, Manifest};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Corpus, CorpusSummary, Owner, StoredFile};
use crate::convert::{from_sql, from_sql32, page_rows};
use crate::{Db, DbError};

const SELECT: &str =
    "SELECT k.id, k.job_id, k.commit_id, k.revision, k.partial, k.manifest, k.location,
        k.created_at
   FROM corpora AS k JOIN jobs AS j ON j.id = k.job_id AND j.deleting_at IS NULL";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    job_id: Uuid,
    commit_id: String,
    revision: i32,
    partial: bool,
    manifest: Json<Manifest>,
    location: String,
    created_at: OffsetDateTime,
}

impl From<Row> for Corpus {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            job_id: row.job_id,
            commit: row.commit_id,
            revision: from_sql32(row.revision),
            partial: row.partial,
            manifest: row.manifest.0,
            location: row.location,
            created_at: row.created_at,
        }
    }
}

/// A job's current corpus: what `main` names.
pub async fn by_job(db: &Db, job: Uuid) -> Result<Corpus, DbError> {
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE j.id = $1 AND k.id = j.corpus_id")))
            .bind(job)
            .fetch_optional(db.pool())
            .await?;
    Ok(row.ok_or(DbError::NotFound("corpus"))?.into())
}

/// One revision of a job's corpus, by its commit.
pub async fn revision(db: &Db, job: Uuid, commit: &str) -> Result<Corpus, DbError> {
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE j.id = $1 AND k.commit_id = $2")))
            .bind(job)
            .bind(commit)
            .fetch_optional(db.pool())
            .await?;
    Ok(row.ok_or(DbError::NotFound("corpus"))?.into())
}

/// Every kept revision of a job's corpus, newest first.
pub async fn revisions(db: &Db, job: Uuid) -> Result<Vec<Corpus>, DbError> {
    let rows: Vec<Row> =
        sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE j.id = $1 ORDER BY k.revision DESC")))
            .bind(job)
            .fetch_all(db.pool())
            .await?;
    Ok(rows.into_iter().map(Corpus::from).collect())
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    id: i64,
    job_id: Uuid,
    name: String,
    commit_id: String,
    partial: bool,
    rows: i64,
    tokens: i64,
    created_at: OffsetDateTime,
}

impl From<SummaryRow> for CorpusSummary {
    fn from(row: SummaryRow) -> Self {
        Self {
            id: row.id,
            job_id: row.job_id,
            name: row.name,
            commit: row.commit_id,
            partial: row.partial,
            rows: from_sql(row.rows),
            tokens: from_sql(row.tokens),
            created_at: row.created_at,
        }
    }
}

/// Current corpora of all jobs, newest first; `before` is the id that the previous page ended with.
pub async fn list(db: &Db, before: Option<i64>, limit: u32) -> Result<Vec<CorpusSummary>, DbError> {
    let rows: Vec<SummaryRow> = sqlx::query_as(
        "SELECT k.id, j.id AS job_id, j.name, k.commit_id, k.partial,
                (k.manifest #>> '{content,rows}')::bigint AS rows,
                (k.manifest #>> '{content,tokens}')::bigint AS tokens, k.created_at
           FROM corpora AS k JOIN jobs AS j ON j.corpus_id = k.id AND j.deleting_at IS NULL
          WHERE $1::bigint IS NULL OR k.id < $1 ORDER BY k.id DESC LIMIT $2",
    )
    .bind(before)
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    Ok(rows.into_iter().map(CorpusSummary::from).collect())
}

#[derive(sqlx::FromRow)]
struct FileRow {
    commit_id: String,
    location: String,
    path: String,
    bytes: i64,
    sha256: String,
    rows: Option<i64>,
}

impl From<FileRow> for StoredFile {
    fn from(row: FileRow) -> Self {
        Self {
            commit: row.commit_id,
            location: row.location,
            file: CorpusFile {
                path: row.path,
                bytes: from_sql(row.bytes),
                sha256: row.sha256,
                rows: row.rows.map(from_sql),
                // The manifest tells; nobody asks the database.
                tokens: None,
            },
        }
    }
}

/// Files of the current corpus, or of the revision of commit `$2`.
fn select_files(owner: Owner) -> String {
    let (table, column) = (owner.table(), owner.column());
    format!(
        "SELECT k.commit_id, k.location, f.path, f.bytes, f.sha256, f.rows
   FROM {table} AS o JOIN corpora AS k ON k.{column} = o.id JOIN corpus_files AS f ON f.corpus_id = k.id
  WHERE o.id = $1 AND o.deleting_at IS NULL
    AND CASE WHEN $2::text IS NULL THEN k.id = o.corpus_id ELSE k.commit_id = $2 END"
    )
}

/// The file of that exact path, in the current corpus or in the revision of a commit.
pub async fn file(
    db: &Db,
    owner: impl Into<Owner>,
    commit: Option<&str>,
    path: &str,
) -> Result<StoredFile, DbError> {
    let owner = owner.into();
    let select = select_files(owner);
    let row: Option<FileRow> = sqlx::query_as(AssertSqlSafe(format!("{select} AND f.path = $3")))
        .bind(owner.id())
        .bind(commit)
        .bind(path)
        .fetch_optional(db.pool())
        .await?;
    Ok(row.ok_or(DbError::NotFound("file"))?.into())
}

/// Every file of the current corpus or of the revision of a commit, by path.
pub async fn files(
    db: &Db,
    owner: impl Into<Owner>,
    commit: Option<&str>,
) -> Result<Vec<StoredFile>, DbError> {
    let owner = owner.into();
    let select = select_files(owner);
    let rows: Vec<FileRow> = sqlx::query_as(AssertSqlSafe(format!("{select} ORDER BY f.path")))
        .bind(owner.id())
        .bind(commit)
        .fetch_all(db.pool())
        .await?;
    Ok(rows.into_iter().map(StoredFile::from).collect())
}
