//! Looking at imports.

use hornbook_types::{ImportState, Reference, Slug};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{COLUMNS, Import, Row, parse_state};
use crate::convert::{page_rows, to_sql32};
use crate::{Db, DbError};

/// The version asked for, or the latest, in whatever state it is.
pub async fn get(db: &Db, reference: &Reference) -> Result<Import, DbError> {
    sqlx::query_as::<_, Row>(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM imports
          WHERE slug = $1 AND ($2::int IS NULL OR version = $2) AND deleting_at IS NULL
          ORDER BY version DESC LIMIT 1"
    )))
    .bind(reference.slug.as_str())
    .bind(reference.version.map(to_sql32))
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("import"))?
    .into_import()
}

/// The import of that id, as long as it is not deleted.
pub async fn by_id(db: &Db, id: Uuid) -> Result<Import, DbError> {
    sqlx::query_as::<_, Row>(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM imports WHERE id = $1 AND deleting_at IS NULL"
    )))
    .bind(id)
    .fetch_optional(db.pool())
    .await?
    .ok_or(DbError::NotFound("import"))?
    .into_import()
}

/// Where an import stands.
pub async fn state(db: &Db, id: Uuid) -> Result<ImportState, DbError> {
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM imports WHERE id = $1 AND deleting_at IS NULL")
            .bind(id)
            .fetch_optional(db.pool())
            .await?;
    parse_state(&state.ok_or(DbError::NotFound("import"))?)
}

/// The latest version of each import, by name; `after` is the name that the previous page ended with.
pub async fn list(db: &Db, after: Option<&Slug>, limit: u32) -> Result<Vec<Import>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT DISTINCT ON (slug) {COLUMNS} FROM imports
          WHERE ($1::text IS NULL OR slug > $1) AND deleting_at IS NULL
          ORDER BY slug, version DESC LIMIT $2"
    )))
    .bind(after.map(Slug::as_str))
    .bind(page_rows(limit))
    .fetch_all(db.pool())
    .await?;
    rows.into_iter().map(Row::into_import).collect()
}
